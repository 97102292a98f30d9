"""The method for drift that ours replaced: it looks both ways, errs as seldom as it says, and asks for an effect."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.decisions.histograms import normal_edges, normal_shares
from benchmarks.decisions.policy import NEVER, Conditions
from benchmarks.peers.per_edge import CBE_EDGE, Comparison, Sides, contests
from scipy.stats import fisher_exact

from serinus.rollout.types import RolloutPlan
from serinus.stats.counts import Counts

EDGES = normal_edges(10)
USUAL = normal_shares(EDGES)
NUMBERS = Conditions(ticks=20, margin=0.1, edges=EDGES)
CATEGORIES = replace(NUMBERS, edges=())
NO_EFFECT = replace(NUMBERS, margin=-1e9)


def draws(shares, per_tick, *, replicates=20, ticks=20, seed=1):
    return np.random.Generator(np.random.PCG64(seed)).multinomial(per_tick, shares, (replicates, ticks))


def flags(shares, per_tick, conditions=NUMBERS, *, usual=USUAL, replicates=20):
    ours = draws(shares, per_tick, replicates=replicates)
    return CBE_EDGE.first_flags(ours, draws(usual, 250, replicates=replicates, seed=2), conditions)


def counts(x, n, y, size):
    return Counts(canary_total=n, canary_bad=x, stable_total=size, stable_bad=y)


def test_numbers_are_counted_on_both_sides_of_each_inner_edge():
    found = list(contests((1, 2, 4), (10, 20, 40), ordered=True))
    assert found == [counts(1, 7, 10, 70), counts(6, 7, 60, 70), counts(3, 7, 30, 70), counts(4, 7, 40, 70)]


def test_categories_are_counted_each_against_all_others():
    found = list(contests((1, 4), (10, 40), ordered=False))
    one, other = counts(1, 5, 10, 50), counts(4, 5, 40, 50)
    assert found == [one, other, other, one]


@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_a_shift_to_either_side_is_found(shift):
    found = flags(normal_shares(EDGES, shift), 50)
    assert (found >= 2).all()
    assert np.median(found) <= 4


def test_a_class_that_becomes_frequent_or_rare_is_found():
    usual, other = np.array([0.5, 0.3, 0.1, 0.1]), np.array([0.5, 0.1, 0.1, 0.3])
    assert (flags(other, 100, CATEGORIES, usual=usual) != NEVER).all()
    assert (flags(usual, 100, CATEGORIES, usual=other) != NEVER).all()


def test_evidence_alone_errs_at_most_alpha():
    """Of 150 good canaries 5 % are 7.5; three standard errors (of 2.7) more are 15."""
    edges = normal_edges(5)
    found = flags(normal_shares(edges), 10, replace(NO_EFFECT, edges=edges), usual=normal_shares(edges), replicates=150)
    assert (found != NEVER).sum() <= 15


def test_a_certain_trifle_is_not_flagged():
    trifle = normal_shares(EDGES, 0.2)
    assert (flags(trifle, 2_000, NO_EFFECT) != NEVER).all()
    assert (flags(trifle, 2_000) == NEVER).all()


@pytest.mark.parametrize("buckets", [10, 50])
def test_one_tick_is_never_enough(buckets):
    """With 50 buckets the mean of processes that may each grow by the root of K/alpha is beyond 1/alpha at once."""
    edges = normal_edges(buckets)
    ours, theirs = draws(normal_shares(edges, 2.0), 500), draws(normal_shares(edges), 500, seed=2)
    assert (CBE_EDGE.first_flags(ours, theirs, replace(NUMBERS, edges=edges)) == 2).all()


def test_a_stricter_alpha_asks_for_more_evidence():
    shifted = normal_shares(EDGES, 0.3)
    loose, strict = (flags(shifted, 50, replace(NO_EFFECT, alpha=alpha), replicates=8) for alpha in (0.05, 1e-4))
    assert (loose != NEVER).all()
    assert np.median(loose) + 2 <= np.median(np.where(strict == NEVER, 21, strict))


def test_a_side_without_values_says_nothing():
    nothing = np.zeros((1, 20, 10), dtype=np.int64)
    some = draws(USUAL, 50, replicates=1)
    for ours, theirs in ((nothing, some), (some, nothing), (nothing, nothing)):
        assert CBE_EDGE.first_flags(ours, theirs, NUMBERS).tolist() == [NEVER]


def test_too_much_beyond_the_last_edge_is_refused():
    edges = normal_edges(10, overflow=0.3)
    ours = draws(normal_shares(edges, 1.0), 50)
    assert (CBE_EDGE.first_flags(ours, draws(normal_shares(edges), 250), replace(NUMBERS, edges=edges)) == NEVER).all()


def test_money_follows_the_edge_that_differs():
    """Above the edge the canary has clearly more (Fisher's exact test); the mean of both directions is the evidence."""
    comparison = Comparison(plan=RolloutPlan(steps=(), signals=()), ordered=True)
    canary, stable = (0, 30), (45, 45)
    comparison.on_tick(canary, stable)
    low, high = (each.value for each in comparison.processes)
    assert fisher_exact([[30, 0], [45, 45]], alternative="greater").pvalue < 1e-6
    assert low < 1.0 < high
    assert comparison.evidence == pytest.approx((low + high) / 2.0)


def test_the_effect_is_of_recent_ticks_where_those_are_clearer():
    overall, recent = Sides(), Sides(decay=0.5)
    for canary in [(50, 50)] * 10 + [(90, 10)] * 3:
        overall, recent = overall.plus(canary, (500, 500)), recent.plus(canary, (500, 500))
    assert overall.apart(ordered=True) < 0.1 < recent.apart(ordered=True)


def test_a_late_change_is_found_by_what_is_recent():
    early, late = draws(USUAL, 250, ticks=15), draws(normal_shares(EDGES, 1.0), 250, ticks=5, seed=3)
    found = CBE_EDGE.first_flags(np.concatenate([early, late], axis=1), draws(USUAL, 250, seed=2), NUMBERS)
    assert (found > 15).all()
