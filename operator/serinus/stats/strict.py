"""Evidence that the canary is worse by more than the margin: a block e-process.

The null is ``p_canary <= p_stable + margin``: the counterpart of ``count_process`` for those who want no rollback of a
canary whose excess is within the margin. Each tick bets that the canary's odds are a multiple of those at the margin;
the factor is the likelihood of the bet over that of the closest point of the null (``margin_test.project``), an e-value
for every convex null, whatever the true rates of the tick are. Knows no signals and no verdicts.
"""

import numpy as np

from serinus.stats.capital import Capital, bet, cap_per_tick, settle
from serinus.stats.counts import Counts
from serinus.stats.margin_test import History, log_ratio_to_null

# The canary's odds as multiples of those at the margin, in equal shares.
ODDS = (1.5, 2.2, 3.5, 7.0, 20.0, 100.0)
SMALLEST_MARGIN = 1e-6
# Beyond this boundary no bet is left between it and certainty.
_LARGEST_BOUNDARY = 1.0 - 1e-6

_SHARES = np.full(len(ODDS), 1.0 / len(ODDS))


def fresh() -> Capital:
    """Return the capital before the first tick: all cash."""
    return Capital(parts=(0.0,) * len(ODDS))


def advance(
    capital: Capital,
    counts: Counts,
    history: History,
    *,
    margin: float,
    start: float,
    threshold: float,
    confirm_ticks: int = 2,
    dispersion: float = 1.0,
) -> Capital:
    """Return the capital after one tick: an e-process against "the canary's excess is at most ``margin``".

    The log of a factor has, for true rates (p_c, p_s), the expectation bound ``n_c log f_c(p_c) + n_s log f_s(p_s)``
    with affine f: concave, 0 at the projection, and not rising into the null. So the expectation of the factor is at
    most 1 for all rates of the null, also if they differ from request to request (reverse information projection;
    Turner and Gruenwald, arXiv 2203.09785). A boost would need the law at every point of the null: nothing is boosted.

    A tick on which one side has no requests leaves the capital as it is, as does a process that has reached its
    threshold. Without a history the start mass is staked, but nothing is won or lost.

    Args:
        capital: before the tick.
        counts: increments of this tick.
        history: stable's past without this tick, or the bet would know its own outcome.
        margin: excess of the canary's share that is still accepted, in [0, 1).
        start: share of the initial capital that is bet from this tick on; from ``starts.start_mass``.
        threshold: ``1/alpha`` of this process, above 1.
        confirm_ticks: fewest ticks that can reach the threshold.
        dispersion: phi, at least 1, from past ticks only: factors are raised to ``1 / phi``.
    """
    if not counts.compares or capital.reached(threshold):
        return capital
    staked = bet(capital, _SHARES, start)
    margin = max(margin, SMALLEST_MARGIN)
    if history.total <= 0.0:
        return staked
    stable = history.rate(min(margin, 1.0))
    boundary = stable + margin
    if boundary >= _LARGEST_BOUNDARY:
        return staked
    seen = np.array([log_ratio_to_null(counts, bet_on, stable, margin) for bet_on in _bets(boundary)])
    return settle(staked, _SHARES, None, seen / dispersion, cap_per_tick(capital.value, threshold, confirm_ticks))


def _bets(boundary: float) -> tuple[float, ...]:
    return tuple(boundary * odds / (1.0 - boundary + boundary * odds) for odds in ODDS)
