"""Which latency edges are compared at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import BrokenInvariant
from serinus.stats.edges import choose

USUAL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FINE = tuple(0.01 * 1.035**index for index in range(200))


def drawn(edges: tuple[float, ...], requests: int, seed: int = 1) -> list[int]:
    """Counts of log-normal times with a median of 100 ms."""
    times = np.random.default_rng(seed).lognormal(np.log(0.1), 0.6, requests)
    return [int(each) for each in np.bincount(np.searchsorted(edges, times), minlength=len(edges) + 1)]


@pytest.mark.parametrize(
    ("requests", "chosen"),
    [
        (100_000, (0.1, 0.25, 0.5, 1.0)),
        (1_000, (0.1, 0.25, 0.5, 1.0)),
        (300, (0.1, 0.25, 0.5, 1.0)),
        (50, (0.1, 0.25, 0.5, 1.0, 2.5)),
        (5, (0.05, 0.25, 0.5, 1.0, 2.5, 5.0)),
        (0, (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)),
    ],
)
def test_edges_go_from_the_median_to_beyond_the_tail(requests: int, chosen: tuple[float, ...]) -> None:
    assert tuple(USUAL[index] for index in choose(drawn(USUAL, requests), USUAL)) == chosen


@pytest.mark.parametrize("edges", [USUAL, FINE])
@pytest.mark.parametrize("requests", [0, 3, 30, 300, 30_000])
@pytest.mark.parametrize("seed", range(5))
def test_a_slow_tail_lies_above_an_edge_that_little_else_passes(
    edges: tuple[float, ...], requests: int, seed: int
) -> None:
    """Requests that take 2 s, where less than 1 % of the others take longer than 0.4 s."""
    chosen = [edges[index] for index in choose(drawn(edges, requests, seed), edges)]
    assert any(0.4 <= edge <= 2.0 for edge in chosen)
    assert len(chosen) <= 6


@pytest.mark.parametrize(
    ("pooled", "edges", "chosen"),
    [
        ((0, 0), (1.0,), (0,)),
        ((0, 9), (1.0,), (0,)),
        ((0, 0, 10**9), (1.0, 2.0), (1,)),
        ((10**9, 0, 0), (1.0, 2.0), (0,)),
        ((5, 5, 5, 5), (-1.0, 0.0, 1.0), (1, 2)),
    ],
)
def test_odd_histograms_have_edges_too(
    pooled: tuple[int, ...], edges: tuple[float, ...], chosen: tuple[int, ...]
) -> None:
    assert choose(pooled, edges) == chosen


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0, 1, 3, 80, 10**9]), min_size=2, max_size=200), st.integers(1, 8))
def test_edges_ascend_and_are_few(pooled: list[int], most: int) -> None:
    edges = tuple(0.001 * (index + 1) for index in range(len(pooled) - 1))
    chosen = choose(pooled, edges, most)
    assert 1 <= len(chosen) <= most
    assert list(chosen) == sorted(set(chosen))
    assert set(chosen) <= set(range(len(edges)))


@pytest.mark.parametrize(("pooled", "edges"), [((1, 2), (1.0, 2.0)), ((1,), ())])
def test_counts_of_other_edges_are_our_bug(pooled: tuple[int, ...], edges: tuple[float, ...]) -> None:
    with pytest.raises(BrokenInvariant):
        choose(pooled, edges)
