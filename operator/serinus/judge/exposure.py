"""Proofs for promotion, one per weight that the canary may get next.

A canary that is worse by ``excess`` at weight w harms ``excess * w`` of all requests. So the proof for a small weight
may leave room for a large excess, ``unacceptable / w``, and needs few requests. All ticks of the rollout count for
every weight, because each proof is run from the first tick on.
"""

from dataclasses import dataclass, field

from serinus.stats import margin_test
from serinus.stats.counts import Counts
from serinus.stats.margin_test import History, Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Stable's past and the proofs by next weight in percent, ascending; the last is for 100."""

    history: History = field(default_factory=History)
    proofs: tuple[tuple[int, Proof], ...] = ()

    def safety(self, next_weight: int) -> float:
        """Return the e-value for "not worse than acceptable at that weight"; 1 before any tick.

        For a weight that has no proof of its own, the one of the next larger weight stands: it disproves more.
        """
        return self.proof(next_weight).value

    def proof(self, weight: int) -> Proof:
        """Return the proof for a weight, or for the next larger one."""
        return next((proof for known, proof in self.proofs if known >= weight), Proof())

    def plus(
        self,
        counts: Counts,
        *,
        unacceptable: float,
        next_weight: int,
        tracked: tuple[int, ...],
        most: int,
        dispersion: float = 1.0,
        target: float = 20.0,
    ) -> "Exposure":
        """Add a tick that compares.

        Args:
            counts: increments of this tick.
            unacceptable: excess at full traffic, a share in (0, 1).
            next_weight: percent that the canary would get next; it gets a proof of its own from here on.
            tracked: weights to keep proofs for from the first tick on, with 100.
            most: largest number of proofs, at least 2.
            dispersion: phi of stable's past ticks, at least 1.
            target: the e-value that proves, at least 1.
        """
        known = dict(self.proofs) or {weight: Proof() for weight in tracked}
        known[next_weight] = self.proof(next_weight)
        while len(known) > most:
            del known[min(weight for weight in known if weight not in (next_weight, 100))]
        advanced = tuple(
            (
                weight,
                margin_test.advance(
                    known[weight], counts, self.history, excess_at(unacceptable, weight), dispersion, target=target
                ),
            )
            for weight in sorted(known)
        )
        return Exposure(history=self.history.plus(counts), proofs=advanced)


def excess_at(unacceptable: float, weight: int) -> float:
    """Return the excess (a share) that the proof for a weight (percent) has to disprove."""
    return margin_test.bounded(unacceptable * 100.0 / weight)
