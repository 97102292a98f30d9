"""Whole latency histograms: every edge from the median up, none of them forgotten."""

import pytest

from judge.rollouts import (
    EDGES,
    first,
    histogram,
    plan,
    play,
    play_from,
    promoted,
    rates,
    rolled_back,
    tick,
    whole_latency,
)
from serinus import contract
from serinus.errors import BrokenInvariant
from serinus.judge.judge import learn
from serinus.judge.measurements import HistogramMeasurement, Measurement
from serinus.judge.running import Running
from serinus.judge.states import LatencyState
from serinus.rollout.assessment import Verdict

STABLE = (600, 300, 80, 15, 4, 1)
ALIKE = histogram((60, 30, 8, 2, 0, 0), STABLE)
TWICE = histogram((120, 60, 16, 4, 0, 0), STABLE)


@pytest.mark.parametrize(
    ("canary", "edge"),
    [
        pytest.param((40, 40, 14, 5, 1, 0), "100 ms", id="everything is slower"),
        pytest.param((60, 30, 2, 2, 2, 4), "500 ms", id="a slow tail"),
        pytest.param((92, 0, 0, 0, 0, 8), "2500 ms", id="faster but for a very slow tail"),
    ],
)
def test_a_slower_canary_is_rolled_back_and_the_sentence_names_where(canary: tuple[int, ...], edge: str) -> None:
    said = play(plan(whole_latency()), [{"slow": histogram(canary, STABLE)}] * 30)
    found = first(said, rolled_back)
    assert found is not None
    last = said[found - 1]
    assert (last.verdict, last.reason) == (Verdict.FAIL, contract.REASON_LATENCY_WORSE)
    assert f"took longer than {edge}" in last.because
    assert "edges up to 2500 ms" in last.because
    signal = last.signals[0]
    assert signal.effect - signal.effect_standard_error >= 0.02


def test_no_single_tick_rolls_back() -> None:
    awful = histogram((0, 0, 0, 0, 0, 1000), STABLE)
    assert [each.rollback for each in play(plan(whole_latency()), [{"slow": awful}] * 2)] == [False, True]


@pytest.mark.parametrize("canary", [(60, 30, 8, 2, 0, 0), (90, 9, 1, 0, 0, 0), (100, 0, 0, 0, 0, 0)])
def test_a_canary_that_is_no_slower_is_promoted(canary: tuple[int, ...]) -> None:
    said = play(plan(whole_latency()), [{"slow": histogram(canary, STABLE)}] * 60, next_weight=100)
    assert not any(map(rolled_back, said))
    assert first(said, promoted) is not None


def test_promotion_needs_the_proof_of_every_edge() -> None:
    """The canary's tail is worse by just what is unacceptable; below, it is much faster."""
    said = play(plan(whole_latency()), [{"slow": histogram((940, 0, 0, 0, 0, 60), (9000, 500, 300, 100, 50, 50))}] * 60)
    assert not any(map(promoted, said))


def test_edges_that_are_lost_cannot_be_compared_and_new_ones_do_no_harm() -> None:
    finer = HistogramMeasurement(
        canary={"c-1": (30, 30, 30, 8, 2, 0, 0)}, stable={"s-1": (300, 300, 300, 80, 15, 4, 1)}, edges=(0.05, *EDGES)
    )
    other = histogram((60, 40), (600, 400), edges=(0.2,))
    running, said = play_from(Running(), plan(whole_latency()), [{"slow": ALIKE}, {"slow": finer}])
    after, (lost,) = play_from(running, plan(whole_latency()), [{"slow": other}], first=3)
    assert after == running
    assert said[1].signals[0].canary_total == 200
    assert (lost.verdict, lost.reason, lost.promote) == (Verdict.INCONCLUSIVE, contract.REASON_BUCKET_MISMATCH, False)
    assert "has lost the edge 100 ms" in lost.because
    assert lost.evidence == said[1].evidence


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (histogram((0,) * 6, STABLE), contract.REASON_NO_TRAFFIC),
        (histogram((1,) * 6, (0,) * 6), contract.REASON_NO_BASELINE),
        (HistogramMeasurement(canary={}, stable={}, edges=EDGES), contract.REASON_NO_TRAFFIC),
        (
            HistogramMeasurement(canary={"c": (1,)}, stable={"s": (1,)}, categories=("x",)),
            contract.REASON_BUCKET_MISMATCH,
        ),
    ],
)
def test_what_cannot_be_compared_changes_nothing(measured: Measurement, reason: str) -> None:
    running, (said,) = play_from(Running(), plan(whole_latency()), [{"slow": measured}])
    assert running == Running()
    assert (said.verdict, said.reason, said.evidence) == (Verdict.INCONCLUSIVE, reason, 1.0)


def test_history_chooses_the_edges_and_lets_the_first_tick_bet() -> None:
    of = plan(whole_latency())
    past = [HistogramMeasurement(canary={}, stable={"s-1": STABLE}, edges=EDGES)] * 10
    ticks = [tick(number - 10, slow=measured) for number, measured in enumerate(past)]
    running = learn(of, Running(), ticks)
    assert Running.from_wire(running.to_wire()) == running
    state = running.signals["slow"]
    assert isinstance(state, LatencyState)
    assert state.edges[0] == 0.1
    assert all(contest.exposure.history.total > 1000 for contest in state.contests)
    known, bare = (play_from(start, of, [{"slow": TWICE}])[1][0].signals[0].safety for start in (running, Running()))
    assert known != 1.0
    assert bare == 1.0


def test_something_else_than_a_histogram_is_our_own_bug() -> None:
    with pytest.raises(BrokenInvariant, match="slow of kind Latency got a RateMeasurement"):
        play(plan(whole_latency()), [{"slow": rates((1, 0), (1, 0))}])
