"""Evidence that the canary is worse: the boosted, capped mixture e-process for counts.

Given both sides' requests and the bad ones together, the number of bad canary requests follows a known law if the
canary is no worse, whatever the base rate, the traffic and the weight of the tick are. Bets on several odds ratios
are averaged; part of the money is bet at later ticks (``starts``). Knows no margins, no signals and no verdicts.
"""

from dataclasses import dataclass

import numpy as np

from serinus.stats.capital import Capital, Floats, Law, bet, cap_per_tick, settle
from serinus.stats.counts import Counts
from serinus.stats.hypergeometric import Margins, log_normalisers, null_law


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Odds ratios that are bet on, ascending and above 1, and their shares, which sum to 1."""

    odds: tuple[float, ...]
    shares: tuple[float, ...]


# The small ones find 8 % against 7 %, at the price of a fifth of the stake on the others.
MIXTURE = Mixture(odds=(1.1, 1.3, 1.7, 3.0, 8.0, 40.0), shares=(0.1, 0.1, 0.2, 0.2, 0.2, 0.2))


def fresh(mixture: Mixture = MIXTURE) -> Capital:
    """Return the capital before the first tick: all cash."""
    return Capital(parts=(0.0,) * len(mixture.odds))


def advance(
    capital: Capital,
    counts: Counts,
    *,
    start: float,
    threshold: float,
    confirm_ticks: int = 2,
    mixture: Mixture = MIXTURE,
) -> Capital:
    """Return the capital after one tick.

    A tick on which one side has no requests leaves it as it is; so does a process that has reached its threshold
    (it is stopped there). A tick without a bad request only moves the start mass.

    Args:
        capital: before the tick, of the same mixture.
        counts: increments of this tick.
        start: share of the initial capital that is bet from this tick on; from ``starts.start_mass``.
        threshold: ``1/alpha`` of this process, above 1.
        confirm_ticks: fewest ticks that can reach the threshold.
        mixture: odds ratios.
    """
    if not counts.compares or capital.reached(threshold):
        return capital
    shares = np.array(mixture.shares)
    staked = bet(capital, shares, start)
    margins = Margins(canary=counts.canary_total, stable=counts.stable_total, bad=counts.bad)
    if not margins.informative:
        return staked
    law, seen = _law(margins, counts.canary_bad, mixture.odds)
    return settle(staked, shares, law, seen, cap_per_tick(capital.value, threshold, confirm_ticks))


def log_likelihood_ratios(counts: Counts, odds: tuple[float, ...]) -> Floats:
    """Return the log likelihood ratio of each odds ratio against 1 for one tick, shape (odds,).

    Source: Fisher's noncentral hypergeometric law. Zeros where the tick carries no information.
    """
    margins = Margins(canary=counts.canary_total, stable=counts.stable_total, bad=counts.bad)
    if not margins.informative:
        return np.zeros(len(odds))
    return _law(margins, counts.canary_bad, odds)[1]


def _law(margins: Margins, canary_bad: int, odds: tuple[float, ...]) -> tuple[Law, Floats]:
    outcomes, probabilities = null_law(margins)
    origin = float(outcomes[int(np.argmax(probabilities))])
    normalisers = log_normalisers(margins, odds, origin)
    logs_of_odds = np.log(np.array(odds))
    ratios = logs_of_odds[:, None] * (outcomes - origin) - normalisers[:, None]
    seen = logs_of_odds * (canary_bad - origin) - normalisers
    return Law(probabilities=probabilities, log_ratios=ratios), seen
