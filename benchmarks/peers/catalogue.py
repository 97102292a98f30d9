"""All peers by what they look at. Whoever runs the benchmark takes them from here."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.policy import Conditions
from benchmarks.peers.argo import A95, A98
from benchmarks.peers.evidently import EVIDENTLY, EVIDENTLY_PSI
from benchmarks.peers.fisher import FI01, FI05, POC
from benchmarks.peers.flagger import F98, F99
from benchmarks.peers.kayenta import K10
from benchmarks.peers.latency import F_P99, K_P99
from benchmarks.peers.mixture_sprt import MSP
from benchmarks.peers.multinomial import LM
from benchmarks.peers.per_edge import CBE_EDGE
from benchmarks.peers.spending import ECST


class ValuesPolicy(Protocol):
    """Decides many replicates at once from histograms instead of error counts."""

    @property
    def name(self) -> str:
        """Return what the tables print."""

    def first_flags(
        self, canary: NDArray[np.int64], stable: NDArray[np.int64], conditions: Conditions
    ) -> NDArray[np.int64]:
        """Return for each replicate the tick, counted from 1, at whose end it is rolled back or flagged, or ``NEVER``.

        Args:
            canary: increments per bucket or category, shape (replicates, ticks, buckets).
            stable: the same of the other side.
            conditions: of the cell, with ``edges`` if numeric, and ``reference`` if there is one (without, drift is
                measured against stable).
        """


ON_COUNTS = (F99, F98, A95, A98, K10, FI05, FI01, LM, MSP)
"""Peers on error counts; each takes under a millisecond per replicate but K10, which takes up to 10."""
WITH_HORIZON = (ECST,)
"""Needs to know the last tick beforehand; 1 to 10 ms per replicate."""
YARDSTICK = POC
"""The oracle boundary: no peer, for nobody can know it."""
WHOLE_ROLLOUTS = (F98, F99, A95)
"""Choose their own weights and promote."""
ON_LATENCIES = (F_P99, K_P99)
FROM_REFERENCE = (EVIDENTLY, EVIDENTLY_PSI)
"""Can take a training reference for the other side."""
ON_DRIFT = (*FROM_REFERENCE, CBE_EDGE)
"""Canary against stable. The last is no other tool's, but the method that ours replaced; 20 ms per replicate."""
