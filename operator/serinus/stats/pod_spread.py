"""How different pods of one model are by themselves: what an unlucky canary pod may be allowed.

If stable's pods persistently differ (an old node, a cold cache, another mix of clients), a canary pod that is no worse
than they are can still be worse than their mean. The spread is estimated from what repeats from tick to tick, so
bursts, which do not repeat, leave it alone. Knows no verdicts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, log1p, sqrt
from zlib import crc32

from scipy.special import stdtrit

MAX_PODS = 12
FALSE_RATE = 0.05
# So many standard errors are taken off a spread: few failures on a handful of pods scatter widely.
_SURE = 2.0
# Two or three pods hardly tell a spread from chance, and Student's quantile for them has no end: without a limit no
# catastrophe would ever be found. Of pods that differ by 0.5 in the log of their odds one in 200 is beyond it.
LARGEST_ODDS = 5.0
# A quantile below the median would make the null stricter than "no worse".
_LARGEST_FALSE_RATE = 0.5
# Sums are kept short, for they are written down at every tick.
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """Sums over past ticks of one stable pod."""

    key: int
    """A digest of the name: names are long, and are not needed again."""
    excess: float = 0.0
    """Bad requests less those that the tick's pool expects of as many requests."""
    expected: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpread:
    """Sums over past ticks of at most 12 stable pods at a time, and over all of what chance and bursts explain."""

    pods: tuple[Pod, ...] = ()
    """Ascending by key."""
    within: float = 0.0
    """Squares of each tick's excess, summed over ticks and pods: what the excess would scatter without a spread."""
    expected_squares: float = 0.0
    """Squares of each tick's expectation, summed over ticks and pods."""
    gone: int = 0
    """Pods that are no more, whose place another one took."""
    gone_excess: float = 0.0
    """Squares of their excess over all their ticks, summed over these pods."""
    gone_expected: float = 0.0
    """Squares of their expectation over all their ticks, summed over these pods."""

    def plus(self, by_pod: Mapping[str, tuple[int, int]]) -> "PodSpread":
        """Add one tick; what it tells may be used from the next tick on.

        Args:
            by_pod: stable pods, name to (total, bad). Pods beyond 12 count for the pool only; where pods are gone,
                new ones take their places.
        """
        total = sum(each for each, _ in by_pod.values())
        bad = sum(each for _, each in by_pod.values())
        if bad == 0 or sum(1 for each, _ in by_pod.values() if each) < 2:
            return self
        known = {pod.key: pod for pod in self.pods}
        within, squares = self.within, self.expected_squares
        left: list[Pod] = []
        keys = {_key(name): name for name in sorted(by_pod)}
        absent = sorted((pod for pod in self.pods if pod.key not in keys), key=lambda pod: (-pod.expected, pod.key))
        for key, name in keys.items():
            requests, wrong = by_pod[name]
            if not requests:
                continue
            if key not in known and len(known) >= MAX_PODS:
                if not absent:
                    continue
                left.append(known.pop(absent.pop().key))
            expected = requests * bad / total
            excess = wrong - expected
            before = known.get(key, Pod(key=key))
            known[key] = Pod(
                key=key,
                excess=round(before.excess + excess, _DIGITS),
                expected=round(before.expected + expected, _DIGITS),
            )
            within += excess * excess
            squares += expected * expected
        pods = tuple(known[key] for key in sorted(known))
        return PodSpread(
            pods=pods,
            within=round(within, _DIGITS),
            expected_squares=round(squares, _DIGITS),
            gone=self.gone + len(left),
            gone_excess=round(self.gone_excess + sum(pod.excess**2 for pod in left), _DIGITS),
            gone_expected=round(self.gone_expected + sum(pod.expected**2 for pod in left), _DIGITS),
        )

    @property
    def variance(self) -> float:
        """Return the squared coefficient of variation of the pods' rates, 0 where it is not clear.

        Products of a pod's excess d at different ticks expect ``v e e'``, whatever happens within a tick. So, over S
        pods, ``v = S / (S - 1) sum_i ((sum_t d_it)^2 - sum_t d_it^2) / sum_i ((sum_t e_it)^2 - sum_t e_it^2)``; the
        first factor gives back what the pool of the pods takes off. Two standard errors are taken off the upper sum, or
        chance would look like a spread in one rollout of ten where failures are few. A method of moments of our own,
        checked by simulation; assumes that a pod's rate over the pool's stays the same from tick to tick.
        """
        seen = len(self.pods) + self.gone
        if seen < 2:
            return 0.0
        square = self.gone_expected + sum(pod.expected * pod.expected for pod in self.pods) - self.expected_squares
        if square <= 0.0:
            return 0.0
        between = self.gone_excess + sum(pod.excess * pod.excess for pod in self.pods)
        chance = _SURE * self.within * sqrt(2.0 / (seen - 1))
        clear = max(between - self.within - chance, 0.0)
        return clear / square * seen / (seen - 1)

    def null_odds(self, canary_pods: int, stable_pods: int, false_rate: float = FALSE_RATE) -> float:
        """Return the odds ratio by which canary pods may be worse than stable's mean though the model is no worse.

        ``exp(t sqrt(log(1 + v)) sqrt(1/C + 1/S))``, t the ``1 - false_rate`` point of Student's law with as many
        degrees of freedom as pods were compared less one; 1 without a clear spread, never above 5. Requests without
        end would accuse every canary that is beyond it, so no more than ``false_rate`` of them may be.

        Args:
            canary_pods: C, pods that served the canary's requests; fewer than 1 counts as 1.
            stable_pods: S, likewise.
            false_rate: alpha of the process, above 0; above a half counts as a half.
        """
        variance = self.variance
        if variance <= 0.0:
            return 1.0
        quantile = -float(stdtrit(len(self.pods) + self.gone - 1.0, min(false_rate, _LARGEST_FALSE_RATE)))
        sides = 1.0 / max(canary_pods, 1) + 1.0 / max(stable_pods, 1)
        return exp(min(quantile * sqrt(log1p(variance) * sides), log(LARGEST_ODDS)))


def _key(name: str) -> int:
    return crc32(name.encode())
