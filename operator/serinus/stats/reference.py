"""Evidence that counts are not drawn from a training reference: a multinomial mixture e-process.

A function of cumulative counts: nothing is remembered. Knows one side only; whether both sides moved is the caller's
question.
"""

from collections.abc import Sequence
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from serinus.errors import BrokenInvariant

Floats = NDArray[np.float64]

# Concentrations of the Dirichlet alternatives around the reference: small ones find large shifts early, large ones
# small shifts late.
CONCENTRATIONS = (10.0, 30.0, 100.0, 300.0, 1000.0)
# Jeffreys: what a bucket of a finite reference sample is worth before anything is counted.
SMOOTHING = 0.5

_LARGEST_LOG = 690.0


def evidence(counts: Sequence[float], reference: Sequence[float]) -> float:
    """Return the e-value against "the counts come from the law that the reference is a sample of".

    ``E = mean over k of B(k q + c) / (B(k q) prod_j q_j^(c_j))`` with the Dirichlet normaliser B, q the reference's
    shares with half a count added to each bucket, and c the counts times ``N / (N + n)`` for a reference of N and n
    counts. For a known q and unscaled counts this is an exact e-process (Lindon and Malek, NeurIPS 2022, mixed over
    k). The scaling pays for the reference being a sample: it is approximate, and conservative in simulations.

    Args:
        counts: cumulative observations per bucket, not negative; those since the start, or the same with what was
            seen before.
        reference: counts of the training data in the same buckets. Shorter ones (new categories) count as zeros.

    Returns:
        In (0, 1e300). 1 without counts or without a reference.

    Raises:
        BrokenInvariant: the reference has more buckets than the counts.
    """
    if len(reference) > len(counts):
        raise BrokenInvariant(f"{len(counts)} buckets were counted, and the reference has {len(reference)}")
    drawn = np.asarray(counts, dtype=np.float64)
    base = np.zeros(len(drawn))
    base[: len(reference)] = reference
    n, size = float(drawn.sum()), float(base.sum())
    if n <= 0.0 or size <= 0.0:
        return 1.0
    shares = (base + SMOOTHING) / (size + SMOOTHING * len(base))
    scaled = drawn * (size / (size + n))
    logs = [log_evidence(scaled, shares, k) for k in CONCENTRATIONS]
    return exp(min(float(logsumexp(logs)) - float(np.log(len(logs))), _LARGEST_LOG))


def log_evidence(counts: Floats, shares: Floats, concentration: float) -> float:
    """Return the log e-value of one concentration against a known law.

    Args:
        counts: per bucket, shape (buckets,), not negative; need not be whole.
        shares: of the law, shape (buckets,), above 0, sum 1.
        concentration: of the Dirichlet alternative around the law, above 0.
    """
    k = concentration
    total = float(counts.sum())
    prior = k * shares
    marginal = gammaln(k) - gammaln(k + total) + float((gammaln(prior + counts) - gammaln(prior)).sum())
    return float(marginal - float((counts * np.log(shares)).sum()))
