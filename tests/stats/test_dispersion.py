from collections.abc import Callable
from dataclasses import replace
from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from serinus.stats.dispersion import MAX_REMEMBERED, Dispersion


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.lists(st.integers(1, 50), min_size=3, max_size=3),
        min_size=2,
        max_size=6,
    )
)
def test_the_statistic_is_pearsons(rows: list[list[int]]) -> None:
    theirs = chi2_contingency(np.array(rows), correction=False)
    total = sum(map(sum, rows))
    found = Dispersion().plus(rows)
    weight = sqrt(total - max(map(sum, zip(*rows, strict=True))))
    assert found.statistic == pytest.approx(weight * theirs.statistic * (total - 1) / total, abs=1e-9)
    assert found.freedom == pytest.approx(weight * theirs.dof)
    assert (found.weight, found.ticks) == (pytest.approx(weight), 1)


def test_the_estimate_is_shrunk_towards_one() -> None:
    assert Dispersion().estimate == 1.0
    clear = Dispersion(statistic=120.0, freedom=52.0, weight=20.0, ticks=10)
    assert clear.estimate == clear.factor == pytest.approx((120 + 16) / (52 + 16))
    assert Dispersion(statistic=60.0, freedom=52.0, weight=20.0, ticks=10).factor == 1.0


def scattered(burst: int, *, pods: int, seed: int, ticks: int = 400) -> Dispersion:
    """Each failure comes as ``burst`` at once, on one pod; what all pods share varies wildly from tick to tick."""
    rng = np.random.default_rng(seed)
    found = Dispersion()
    for _ in range(ticks):
        level = rng.choice([0.2, 1.0, 3.0]) if pods > 1 else 1.0
        bad = rng.poisson(4.0 * level / burst, pods) * burst
        found = found.plus([(500 - int(each), int(each)) for each in bad])
    return found


@pytest.mark.parametrize("pods", [1, 2, 6])
@pytest.mark.parametrize("burst", [1, 3, 10])
def test_bursts_show_as_their_size(pods: int, burst: int) -> None:
    # 400 ticks and one degree of freedom or more each: a standard error of about a tenth.
    found = scattered(burst, pods=pods, seed=burst)
    assert found.estimate == pytest.approx(burst, rel=0.35)
    assert (found.factor == 1.0) is (burst == 1)


def test_what_all_pods_share_is_no_scatter() -> None:
    quiet, outage = [(100, 0)] * 4, [(40, 60)] * 4
    found = Dispersion()
    for _ in range(50):
        found = found.plus(quiet).plus(outage)
    assert found.factor == 1.0


@pytest.mark.parametrize(
    "rows", [[], [(0, 0)], [(0, 0), (0, 0)], [(5, 0), (3, 0)], [(0, 5), (0, 10**9)], [(0,) * 200] * 500]
)
def test_ticks_that_tell_nothing(rows: list[tuple[int, ...]]) -> None:
    before = Dispersion(statistic=3.0, freedom=2.0, weight=2.0, ticks=1)
    assert replace(before.plus(rows), last=()) == before


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.lists(st.integers(0, 10**9), min_size=30, max_size=30), max_size=4), min_size=1, max_size=4)
)
def test_always_finite_and_small_on_the_wire(ticks: list[list[list[int]]]) -> None:
    found = Dispersion()
    for rows in ticks:
        found = found.plus(rows)
    assert np.isfinite(found.estimate)
    assert found.estimate > 0
    assert len(found.last) <= MAX_REMEMBERED


def test_one_pod_is_compared_with_itself_a_tick_before() -> None:
    once = Dispersion().plus([(90, 10)])
    assert once.freedom == 0.0
    assert once.plus([(80, 20)]) == replace(Dispersion().plus([(90, 10), (80, 20)]), last=(80.0, 20.0))
    assert once.plus([(80, 20), (80, 20)]).last == ()
    assert once.plus([(80, 10, 10)]).freedom == 0.0


def test_one_burst_is_forgotten() -> None:
    found = Dispersion().plus([(250, 250), (495, 5), (495, 5)])
    worst = found.factor
    factors = []
    for _ in range(180):
        found = found.plus([(495, 5), (497, 3), (493, 7)])
        factors.append(found.factor)
    assert worst > 10.0
    # Without a discount they would be a third of the worst, and a sixth.
    assert factors[59] < 0.3 * worst
    assert factors[-1] < 0.1 * worst


Past = list[dict[str, tuple[int, int]]]


def past(worse: Callable[[int, int], float], *, seed: int, pods: int = 5, ticks: int = 60) -> Past:
    """Stable's ticks; ``worse(tick, pod)`` multiplies a rate of 2 %."""
    rng = np.random.default_rng(seed)
    bad = [[int(rng.binomial(400, 0.02 * worse(tick, pod))) for pod in range(pods)] for tick in range(ticks)]
    return [{f"pod-{pod}": (400 - each, each) for pod, each in enumerate(row)} for row in bad]


def for_four_ticks(tick: int, pod: int) -> float:
    """In turn one pod of five is six times as bad as the others, for four ticks."""
    return 3.0 if tick // 4 % 5 == pod else 0.5


def test_errors_that_stay_on_a_pod_show_in_blocks_of_the_past() -> None:
    # Rates have a squared coefficient of variation of 1.25 between pods, and 32 failures are expected of each in a
    # block of four ticks: they scatter 1 + 1.25 * 32 times as much as chance. The prior takes a tenth off.
    learnt = Dispersion().learn(past(for_four_ticks, seed=1))
    assert learnt.factor == pytest.approx(1 + 1.25 * 32, rel=0.2)
    seen = Dispersion()
    for tick in past(for_four_ticks, seed=1):
        seen = seen.plus(list(tick.values()))
    assert seen.factor < 0.5 * learnt.factor
    assert seen.learn(past(for_four_ticks, seed=1)).factor == learnt.factor
    assert learnt.plus([(390, 10)] * 5).factor == learnt.factor


@pytest.mark.parametrize("unlike", [0.0, 0.5])
def test_pods_that_are_never_alike_are_not_taken_for_it(unlike: float) -> None:
    """Chance passes for scatter now and then: 1.5 standard deviations for one of five lengths of blocks."""
    found = [Dispersion().learn(past(lambda _, pod: exp(unlike * (pod - 2)), seed=seed)).factor for seed in range(40)]
    assert np.mean([each > 1.0 for each in found]) <= 0.25
    assert max(found) < 2.0


def test_a_world_that_moves_is_no_scatter() -> None:
    assert Dispersion().learn(past(lambda tick, _: 1.0 + tick // 20, seed=3)).factor == 1.0
    assert Dispersion().learn(past(lambda tick, _: 1.0 + 9.0 * (tick % 16 == 0), seed=3, pods=1)).factor == 1.0


def test_a_pod_that_came_late_is_not_taken_for_a_burst() -> None:
    ticks = past(lambda tick, pod: 1.0 + tick // 20, seed=4)
    changed = [
        {name: row for name, row in tick.items() if (name == "pod-0") <= (at > 30)} for at, tick in enumerate(ticks)
    ]
    assert Dispersion().learn(changed).factor == 1.0


@pytest.mark.parametrize(
    "ticks", [[], [{}] * 40, [{"a": (0, 0), "b": (0, 0)}] * 40, [{"a": (5, 0), "b": (9, 0)}] * 40, [{"a": (1, 1)}] * 9]
)
def test_a_past_that_tells_nothing(ticks: Past) -> None:
    assert Dispersion().learn(ticks) == Dispersion()


@settings(max_examples=40)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=3),
        max_size=8,
    )
)
def test_what_is_learnt_is_always_finite(ticks: Past) -> None:
    assert 1.0 <= Dispersion().learn(ticks * 2).floor < float("inf")


def test_ticks_of_one_bad_request_do_not_hide_the_bursts() -> None:
    """A burst of ten on one pod in every tenth tick, one bad request in the others: 55 % of failures come in bursts."""
    found = Dispersion()
    for tick in range(200):
        bad = 10 if tick % 10 == 0 else 1
        found = found.plus([(500 - bad * (pod == tick % 5), bad * (pod == tick % 5)) for pod in range(5)])
    assert 3.0 < found.factor < 6.0
