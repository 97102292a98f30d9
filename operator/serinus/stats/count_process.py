"""Evidence that the canary is worse: the boosted, capped mixture e-process for counts.

Given both sides' requests and the bad ones together, the number of bad canary requests follows a known law if the
canary is no worse, whatever the base rate, the traffic and the weight of the tick are. Bets on several odds ratios
are averaged; part of the money is bet at later ticks (``starts``). Knows no margins, no signals and no verdicts.
"""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from serinus.stats.capital import Capital, Floats, Law, bet, cap_per_tick, settle
from serinus.stats.counts import Counts
from serinus.stats.hypergeometric import Margins, laws

# A bet on odds that need more ticks than this to be told from the null gets little of the stake.
PATIENCE_TICKS = 60.0
_LEAST_WEIGHT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Odds ratios that are bet on, ascending and above 1, and how a stake is shared among them."""

    odds: tuple[float, ...]
    shares: tuple[float, ...] = ()
    """They sum to 1. Empty: the traffic of the tick says which odds can be told from the null at all."""

    def stake(self, margins: Margins, threshold: float, dispersion: float = 1.0) -> Floats:
        """Return the share of each odds ratio in what is staked at a tick, shape (odds,), sum 1.

        A bet on odds o needs about ``n = (log(threshold) + 1) / (I log(o)^2 / 2)`` ticks like this one, where I is
        the variance of the canary's bad requests under equal odds: little at low traffic, where only large odds can
        be told, much at high traffic, where small ones can, and large ones are found whatever is staked on them. Its
        weight is ``min(1, 60 / n) min(1, sqrt(n))``. The margins of the tick are what the null law is conditioned
        on, so they may be looked at; which side the bad requests fell on is not.
        """
        if self.shares:
            return np.array(self.shares)
        everything = margins.canary + margins.stable
        # Half a bad request more: a tick without any does not say that there never will be one.
        information = (margins.bad + 0.5) * margins.canary / everything * (margins.stable / everything) / dispersion
        weights = []
        for odds in self.odds:
            ticks = (log(threshold) + 1.0) / (0.5 * log(odds) ** 2 * information)
            weights.append(max(min(1.0, PATIENCE_TICKS / ticks) * min(1.0, sqrt(ticks)), _LEAST_WEIGHT))
        return np.array(weights) / sum(weights)


MIXTURE = Mixture(odds=(1.1, 1.35, 2.0, 4.0, 10.0, 40.0))


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
    null_odds: float = 1.0,
    dispersion: float = 1.0,
) -> Capital:
    """Return the capital after one tick: an e-process against "the odds ratio is at most ``null_odds``".

    Given the tick's margins, bad canary requests follow Fisher's noncentral hypergeometric law. Each part is
    multiplied by the likelihood ratio of ``null_odds * odds`` against ``null_odds``; all are boosted by what the cap
    would waste (see ``capital``). As ratios grow with the canary's bad requests, the expectation falls for every odds
    ratio below the null's.

    With a dispersion phi above 1, ratios are raised to ``1 / phi`` and nothing is boosted. If requests depend on each
    other only in clusters of at most phi, the capital is not expected to grow (Hoelder; but for the correction for a
    finite population, under 1 % of a tick's growth); otherwise the error rate is what simulations show.

    A tick on which one side has no requests leaves the capital as it is; so does a process that has reached its
    threshold (it is stopped there). A tick without a bad request only moves the start mass.

    Sources: conditioning on the margins after Lindon and Malek (NeurIPS 2022); boosting after Fischer and Ramdas
    (arXiv 2410.16076); restarts after Shin, Ramdas and Rinaldo (arXiv 2203.03532).

    Args:
        capital: before the tick, of the same mixture.
        counts: increments of this tick.
        start: share of the initial capital that is bet from this tick on; from ``starts.start_mass``.
        threshold: ``1/alpha`` of this process, above 1.
        confirm_ticks: fewest ticks that can reach the threshold.
        mixture: odds ratios, as multiples of ``null_odds``.
        null_odds: at least 1; how much worse one pod may be than others of the same model. From past ticks only.
        dispersion: phi, at least 1; from past ticks only.
    """
    if not counts.compares or capital.reached(threshold):
        return capital
    margins = Margins(canary=counts.canary_total, stable=counts.stable_total, bad=counts.bad)
    shares = mixture.stake(margins, threshold, dispersion)
    staked = bet(capital, shares, start)
    if not margins.informative:
        return staked
    law, seen = _law(margins, counts.canary_bad, mixture.odds, null_odds)
    cap = cap_per_tick(capital.value, threshold, confirm_ticks)
    if dispersion > 1.0:
        return settle(staked, shares, None, seen / dispersion, cap)
    return settle(staked, shares, law, seen, cap)


def log_likelihood_ratios(counts: Counts, odds: tuple[float, ...], null_odds: float = 1.0) -> Floats:
    """Return the log likelihood ratio of each ``null_odds * odds`` against ``null_odds`` for a tick, shape (odds,).

    Source: Fisher's noncentral hypergeometric law. Zeros where the tick carries no information.
    """
    margins = Margins(canary=counts.canary_total, stable=counts.stable_total, bad=counts.bad)
    if not margins.informative:
        return np.zeros(len(odds))
    return _law(margins, counts.canary_bad, odds, null_odds)[1]


def _law(margins: Margins, canary_bad: int, odds: tuple[float, ...], null_odds: float) -> tuple[Law, Floats]:
    known = laws(margins, odds, null_odds)
    logs_of_odds = np.log(np.array(odds))
    ratios = logs_of_odds[:, None] * (known.outcomes - known.origin) - known.normalisers[:, None]
    seen = logs_of_odds * (canary_bad - known.origin) - known.normalisers
    return Law(probabilities=known.probabilities, log_ratios=ratios), seen
