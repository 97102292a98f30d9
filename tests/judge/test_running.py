import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.rollouts import START, errors, latency, plan, play_from, query, rates
from serinus.errors import BrokenInvariant
from serinus.judge.judge import assess
from serinus.judge.measurements import Missing, RateMeasurement, Tick, ValueMeasurement
from serinus.judge.running import Running
from serinus.judge.states import RateState
from serinus.judge.wire import pack
from serinus.rollout.types import SignalAction

SIDES = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)).map(lambda each: (max(each), min(each))),
)
RATES = st.builds(RateMeasurement, canary=SIDES, stable=SIDES)
MISSING = st.just(Missing(reason="NoSeries", message="none"))
TICKS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(1, 100),
        st.fixed_dictionaries(
            {
                "errors": RATES | MISSING,
                "slow": RATES | MISSING,
                "gpu": st.builds(ValueMeasurement, value=st.floats()) | MISSING,
            }
        ),
    ),
    max_size=8,
)
PLAN = plan(errors(), latency(action=SignalAction.HOLD), query(), weights=(5, 20, 50))


@settings(max_examples=60)
@given(TICKS)
def test_judging_is_total_and_its_memory_survives_the_wire(
    ticks: list[tuple[int, int, dict[str, RateMeasurement | ValueMeasurement | Missing]]],
) -> None:
    running, was_rolled_back = Running(), False
    for number, (step, next_weight, measured) in enumerate(ticks):
        at = START + timedelta(seconds=30 * number)
        one = Tick(at=at, step=step, next_weight=next_weight, measurements=measured)
        running, said = assess(PLAN, running, one)
        wire = json.loads(json.dumps(running.to_wire(), allow_nan=False))
        assert Running.from_wire(wire) == running
        assert not (said.promote and said.rollback)
        assert said.rollback or not was_rolled_back
        was_rolled_back = said.rollback
        numbers = [said.evidence, *(each.evidence for each in said.signals), *(each.safety for each in said.signals)]
        json.dumps(numbers, allow_nan=False)


def test_absence_is_a_fresh_start() -> None:
    assert Running.from_wire(None) == Running.from_wire({}) == Running()


@pytest.mark.parametrize(
    "wire",
    [
        {"version": 1},
        {"signals": {}},
        Running().to_wire() | {"at": "yesterday"},
        Running().to_wire() | {"signals": {"errors": ["rate", 1]}},
        Running().to_wire() | {"signals": {"errors": ["rate", *pack(RateState())[:-1]]}},
        Running().to_wire() | {"signals": {"errors": ["rate", [], *pack(RateState())[1:]]}},
        Running().to_wire() | {"signals": {"errors": ["weather"]}},
        Running().to_wire() | {"signals": 7},
        Running().to_wire() | {"traffic": [[0.1], "1", None, 0, 0]},
    ],
)
def test_garbled_memory_is_not_taken_for_a_fresh_start(wire: dict[str, object]) -> None:
    with pytest.raises(BrokenInvariant, match="cannot be read"):
        Running.from_wire(wire)


def test_twenty_signals_fit_into_a_report() -> None:
    names = [f"signal-{number:02}" for number in range(20)]
    weights = tuple(range(2, 100, 2))
    running, _ = play_from(
        Running(),
        plan(*map(errors, names), weights=weights),
        [dict.fromkeys(names, rates((101 + number, 1), (403 + number, 2))) for number in range(30)],
        next_weight=33,
    )
    assert len(json.dumps(running.to_wire())) < 24 * 1024


def test_the_newest_tick_is_remembered() -> None:
    running, _ = play_from(Running(), plan(errors()), [{"errors": rates((1, 0), (1, 0))}, {}])
    assert running.at == START + timedelta(seconds=30)


def test_increments_that_cannot_be_are_our_own_bug() -> None:
    with pytest.raises(BrokenInvariant, match="pod c-1"):
        rates((3, 4), (1, 0))


def test_a_measurement_of_the_wrong_sort_is_our_own_bug() -> None:
    with pytest.raises(BrokenInvariant, match="errors"):
        play_from(Running(), plan(errors()), [{"errors": ValueMeasurement(value=1.0)}])
    with pytest.raises(BrokenInvariant, match="gpu"):
        play_from(Running(), plan(query()), [{"gpu": rates((1, 0), (1, 0))}])


def test_pods_may_come_and_go_and_splitting_them_changes_nothing_but_what_their_scatter_tells() -> None:
    one = [{"errors": rates((100, 3), (400, 4))}] * 3
    many = [
        {
            "errors": RateMeasurement(
                canary={f"c-{number}": (40, 1), "c-x": (60, 2)}, stable={"s-1": (250, 4), f"s-{number}": (150, 0)}
            )
        }
        for number in range(2, 5)
    ]
    (together, _), (apart, _) = (play_from(Running(), plan(errors()), ticks) for ticks in (one, many))
    left, right = together.signals["errors"], apart.signals["errors"]
    assert isinstance(left, RateState)
    assert isinstance(right, RateState)
    assert left.contest == right.contest
