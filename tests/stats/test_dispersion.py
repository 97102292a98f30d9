from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from serinus.stats.dispersion import MAX_REMEMBERED, Dispersion


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
    assert before.plus(rows).numbers()[:4] == before.numbers()


@given(
    st.lists(st.lists(st.lists(st.integers(0, 10**9), min_size=30, max_size=30), max_size=4), min_size=1, max_size=4)
)
def test_always_finite_and_small_on_the_wire(ticks: list[list[list[int]]]) -> None:
    found = Dispersion()
    for rows in ticks:
        found = found.plus(rows)
    assert np.isfinite(found.estimate)
    assert found.estimate > 0
    assert len(found.numbers()) <= MAX_REMEMBERED + 4
    assert Dispersion.from_numbers(found.numbers()) == found


def test_one_pod_is_compared_with_itself_a_tick_before() -> None:
    once = Dispersion().plus([(90, 10)])
    assert once.freedom == 0.0
    assert once.plus([(80, 20)]) == replace(Dispersion().plus([(90, 10), (80, 20)]), last=(80.0, 20.0))
    assert once.plus([(80, 20), (80, 20)]).last == ()
    assert once.plus([(80, 10, 10)]).freedom == 0.0


def test_ticks_of_one_bad_request_do_not_hide_the_bursts() -> None:
    """A burst of ten on one pod in every tenth tick, one bad request in the others: 55 % of failures come in bursts."""
    found = Dispersion()
    for tick in range(200):
        bad = 10 if tick % 10 == 0 else 1
        found = found.plus([(500 - bad * (pod == tick % 5), bad * (pod == tick % 5)) for pod in range(5)])
    assert 3.0 < found.factor < 6.0
