"""Evidence that the canary's own share of bad requests is above a bound: no baseline is needed.

The null is that each canary request is bad with probability at most the bound. The law of the tick is then binomial,
so bets are boosted and capped as in ``count_process``. Knows no stable side, no signals and no verdicts.
"""

from math import ceil, log, log1p, sqrt

import numpy as np

from serinus.stats.capital import Capital, Floats, Law, bet, cap_per_tick, settle

# Bets: the bound's odds times these, in equal shares.
ODDS = (1.7, 3.0, 8.0, 40.0)
SMALLEST_BOUND = 1e-9
LARGEST_BOUND = 1.0 - 1e-9

_SHARES = np.full(len(ODDS), 1.0 / len(ODDS))
_LOGS_OF_ODDS = np.log(np.array(ODDS))
# What lies outside 10 standard deviations and 40 counts of the mean has less than 1e-20 of the mass.
_WINDOW_DEVIATIONS = 10.0
_WINDOW_COUNTS = 40


def fresh() -> Capital:
    """Return the capital before the first tick: all cash."""
    return Capital(parts=(0.0,) * len(ODDS))


def advance(
    capital: Capital,
    *,
    total: int,
    bad: int,
    bound: float,
    start: float,
    threshold: float,
    confirm_ticks: int = 2,
    dispersion: float = 1.0,
) -> Capital:
    """Return the capital after one tick: an e-process against "the share of bad requests is at most ``bound``".

    Each part is multiplied by the binomial likelihood ratio of its odds against the bound's, and boosted (Fischer and
    Ramdas, arXiv 2410.16076). Ratios grow with the bad requests, so the expectation falls for every smaller share.
    With a dispersion phi above 1, ratios are raised to ``1 / phi`` and nothing is boosted.

    A tick without requests leaves the capital as it is, as does a process that has reached its threshold.

    Args:
        capital: before the tick.
        total: canary requests of this tick.
        bad: bad ones of them, 0 to ``total``.
        bound: share in (0, 1); kept within 1e-9 of both ends.
        start: share of the initial capital that is bet from this tick on; from ``starts.start_mass``.
        threshold: ``1/alpha`` of this process, above 1.
        confirm_ticks: fewest ticks that can reach the threshold.
        dispersion: phi, at least 1; from past ticks only.

    Raises:
        ValueError: ``bad`` is not between 0 and ``total``.
    """
    if not 0 <= bad <= total:
        raise ValueError(f"bad requests must lie between 0 and all requests, got {bad} of {total}")
    if total == 0 or capital.reached(threshold):
        return capital
    bound = min(max(bound, SMALLEST_BOUND), LARGEST_BOUND)
    staked = bet(capital, _SHARES, start)
    cap = cap_per_tick(capital.value, threshold, confirm_ticks)
    seen = log_likelihood_ratios(np.array([float(bad)]), total, bound)[:, 0]
    if dispersion > 1.0:
        return settle(staked, _SHARES, None, seen / dispersion, cap)
    return settle(staked, _SHARES, _null_law(total, bound), seen, cap)


def log_likelihood_ratios(bad: Floats, total: int, bound: float) -> Floats:
    """Return log likelihood ratios of the bets against the bound, shape (bets, len(bad)).

    With odds o times the bound's, the bet is the share ``o b / (1 - b + o b)``, and the ratio is
    ``o^bad / (1 - b + o b)^total``.
    """
    growth = np.log1p(bound * (np.array(ODDS) - 1.0))
    return np.asarray(_LOGS_OF_ODDS[:, None] * bad - growth[:, None] * total, dtype=np.float64)


def _null_law(total: int, bound: float) -> Law:
    mean = total * bound
    reach = ceil(_WINDOW_DEVIATIONS * sqrt(mean * (1.0 - bound))) + _WINDOW_COUNTS
    first, last = max(0, int(mean) - reach), min(total, int(mean) + reach)
    outcomes = np.arange(first, last + 1, dtype=np.float64)
    logs = np.zeros_like(outcomes)
    steps = np.log((total - outcomes[:-1]) / (outcomes[:-1] + 1.0)) + (log(bound) - log1p(-bound))
    np.cumsum(steps, out=logs[1:])
    weights = np.exp(logs - logs.max())
    return Law(probabilities=weights / weights.sum(), log_ratios=log_likelihood_ratios(outcomes, total, bound))
