import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.rollouts import (
    START,
    comparison,
    drift,
    errors,
    latency,
    plan,
    play_from,
    query,
    rates,
    whole_latency,
)
from serinus.errors import BrokenInvariant
from serinus.judge.judge import assess, learn
from serinus.judge.measurements import (
    ExpectedShare,
    HistogramMeasurement,
    Measurement,
    Missing,
    PairMeasurement,
    RateMeasurement,
    Tick,
    ValueMeasurement,
)
from serinus.judge.running import Running
from serinus.judge.states import RateState
from serinus.judge.wire import pack
from serinus.rollout.types import Signal, SignalAction

COUNTS = st.integers(0, 10**9)
SIDES = st.dictionaries(st.sampled_from(["a", "b"]), st.tuples(COUNTS, COUNTS).map(lambda each: (max(each), min(each))))
RATES = st.builds(RateMeasurement, canary=SIDES, stable=SIDES)
MISSING = st.just(Missing(reason="NoSeries", message="none"))


def histograms(size: int, **buckets: object) -> st.SearchStrategy[HistogramMeasurement]:
    row = st.lists(st.one_of(st.just(0), COUNTS), min_size=size, max_size=size).map(tuple)
    side = st.dictionaries(st.sampled_from(["a", "b"]), row)
    return st.builds(HistogramMeasurement, canary=side, stable=side, reference=st.none() | row, **buckets)


DURATIONS = histograms(4, edges=st.sampled_from([(0.1, 0.3, 1.0), (0.1, 0.3, 2.0), (0.2, 0.4, 0.5)]))
SCORES = st.one_of(
    histograms(4, edges=st.just((0.25, 0.5, 0.75))),
    histograms(2, edges=st.just((0.5,))),
    histograms(2, categories=st.sampled_from([("x", "y"), ("y", "z")])),
)
NUMBERS = st.floats()
TICKS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(1, 100),
        st.none() | st.builds(ExpectedShare, share=st.floats(0, 1), promised=st.booleans()),
        st.fixed_dictionaries(
            {
                "errors": RATES | MISSING,
                "bounded": DURATIONS | RATES | MISSING,
                "slow": DURATIONS | MISSING,
                "score": SCORES | MISSING,
                "gpu": st.builds(ValueMeasurement, value=NUMBERS) | MISSING,
                "cost": st.builds(PairMeasurement, canary=NUMBERS, stable=NUMBERS) | MISSING,
            }
        ),
    ),
    max_size=6,
)
SIGNALS = (
    replace(errors(), slo=0.01),
    replace(latency("bounded", SignalAction.HOLD), weight=3),
    whole_latency(),
    drift(),
    query(),
    comparison(),
)
PLAN = plan(*SIGNALS, weights=(5, 20, 50, 100))

Ticks = list[tuple[int, int, ExpectedShare | None, dict[str, Measurement]]]


@settings(max_examples=60, deadline=None)
@given(TICKS, st.booleans(), st.integers(0, 3))
def test_judging_is_total_and_its_memory_survives_the_wire(ticks: Ticks, strict: bool, learnt: int) -> None:
    of = replace(PLAN, strict=strict)
    made = [
        Tick(
            at=START + timedelta(seconds=30 * number),
            step=each[0],
            next_weight=each[1],
            expected=each[2],
            measurements=each[3],
        )
        for number, each in enumerate(ticks)
    ]
    running, was_rolled_back = learn(of, Running(), made[:learnt]), False
    for one in made[learnt:]:
        running, said = assess(of, running, one)
        wire = json.loads(json.dumps(running.to_wire(), allow_nan=False))
        assert Running.from_wire(wire) == running
        assert not (said.promote and said.rollback)
        assert said.rollback or not was_rolled_back
        was_rolled_back = said.rollback
        json.dumps(
            [asdict(each) for each in (*said.signals, *([said.traffic] if said.traffic else []))], allow_nan=False
        )
        again, same = assess(of, running, one)
        assert again == running
        assert [each.evidence for each in same.signals] == [each.evidence for each in said.signals]


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


RNG = np.random.default_rng(8)
MANY_EDGES = tuple(0.005 * 1.05**number for number in range(150))


def _rates() -> RateMeasurement:
    pods = {f"s-{pod}": (100_003 + int(RNG.integers(99)), int(RNG.integers(1, 2_000))) for pod in range(20)}
    return RateMeasurement(canary={"c-1": (10_007, int(RNG.integers(50, 150)))}, stable=pods)


def _counts(size: int) -> tuple[int, ...]:
    return tuple(map(int, RNG.integers(1_000, 90_000, size)))


def _histogram() -> HistogramMeasurement:
    stable = {f"s-{pod}": _counts(151) for pod in range(20)}
    return HistogramMeasurement(canary={"c-1": _counts(151)}, stable=stable, edges=MANY_EDGES)


def _categories() -> HistogramMeasurement:
    names = tuple(f"category-{number}" for number in range(200))
    return HistogramMeasurement(canary={"c-1": _counts(200)}, stable={"s-1": _counts(200)}, categories=names)


@pytest.mark.parametrize(
    ("signal", "measure"),
    [
        pytest.param(errors(), _rates, id="rates"),
        pytest.param(replace(errors(), slo=0.01), _rates, id="rates with an slo"),
        pytest.param(whole_latency(), _histogram, id="whole latencies"),
        pytest.param(drift(), _histogram, id="drift of numbers"),
        pytest.param(drift(), _categories, id="drift of categories"),
        pytest.param(query(), lambda: ValueMeasurement(value=float(RNG.normal())), id="queries"),
        pytest.param(
            comparison(),
            lambda: PairMeasurement(canary=float(RNG.normal()), stable=float(RNG.normal())),
            id="comparisons",
        ),
    ],
)
def test_twenty_signals_fit_into_a_report(signal: Signal, measure: Callable[[], Measurement]) -> None:
    names = [f"signal-{number:02}" for number in range(20)]
    running, _ = play_from(
        Running(),
        plan(*(replace(signal, name=name) for name in names), weights=tuple(range(2, 100, 2))),
        [dict.fromkeys(names, measure()) for _ in range(12)],
        next_weight=33,
    )
    assert len(json.dumps(running.to_wire())) < 32 * 1024


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


def test_canary_pods_may_come_and_go_and_splitting_them_changes_nothing() -> None:
    one = [{"errors": rates((100, 3), (400, 4))}] * 3
    many = [
        {
            "errors": RateMeasurement(
                canary={f"c-{number}": (40, 1), "c-x": (60, 2), "idle": (0, 0)}, stable={"s-1": (400, 4)}
            )
        }
        for number in range(2, 5)
    ]
    assert play_from(Running(), plan(errors()), one)[0] == play_from(Running(), plan(errors()), many)[0]


def test_pods_without_end_and_unlike_beyond_measure_break_nothing() -> None:
    names = [f"e{number}" for number in range(20)]
    of = replace(plan(*map(errors, names)), false_rollback_rate=0.01)
    for bad in (0, 5, 999_999):
        pods = {"a": (1_000_000, bad), "b": (1_000_000, 1_000_000)}
        unlike = RateMeasurement(canary={"c": (1_000_000, 500)}, stable=pods)
        assert not play_from(Running(), of, [dict.fromkeys(names, unlike)] * 12)[1][-1].rollback
    crowd = RateMeasurement(canary={"c": (100, 1)}, stable={f"s-{pod}": (100, pod % 3) for pod in range(500)})
    running, _ = play_from(Running(), plan(errors()), [{"errors": crowd}] * 3)
    assert len(json.dumps(running.to_wire())) < 2048
