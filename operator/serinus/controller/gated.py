"""Keep the requests of a gate out of the signals: counting begins with a scrape that already holds them all.

Pods count a gate's requests as any other. Their counters telescope, so what stands in the value that the first block
begins with is in no block. Knows pods and scrapes; must not know what was asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from serinus.prometheus.reader import Asks
from serinus.rollout.types import Canary, Observed, RolloutPlan
from serinus.signals import queries
from serinus.signals.samples import POD_LABEL
from serinus.signals.scope import Scope

SETTLE = timedelta(seconds=2)
"""A server may count a request a moment after it answered, and the clocks of operator and Prometheus differ."""
PATIENCE = timedelta(minutes=5)
"""So long a stable pod that Prometheus cannot scrape is waited for: only its golden requests could be counted."""
BLIND = timedelta(minutes=2)
"""Where no target has an ``up`` (metrics that are pushed), samples that much later are taken to hold all requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What is known of a gate before the first block of an attempt."""

    began: datetime
    """Start of the attempt: no gate had sent anything before."""
    ended: datetime
    """When its pods were ready for the first weight, so every gate had ended."""
    canary: frozenset[str]
    """Pods that may have been asked."""
    stable: frozenset[str]


def gated(plan: RolloutPlan, canary: Canary, stable: str, observed: Observed) -> Gated | None:
    """Return what is known of the gates of an attempt, None if its plan has none.

    Args:
        plan: the frozen plan.
        canary: the attempt, in its first step with a weight.
        stable: the revision that serves.
        observed: one look at the cluster.
    """
    if all(step.smoke is None for step in plan.steps):
        return None
    ended = canary.ready_since or canary.step_since

    def asked(revision: str) -> frozenset[str]:
        return frozenset(
            pod.name for pod in observed.pods if pod.revision == revision and pod.ready and pod.started <= ended
        )

    return Gated(began=canary.since, ended=ended, canary=asked(canary.revision), stable=asked(stable))


def unscraped(known: Gated, scope: Scope, prometheus: Asks, at: datetime) -> tuple[str, ...]:
    """Return the pods whose newest scrape at an instant may lack requests of the gate, sorted.

    Args:
        known: the gate.
        scope: the pods of both sides.
        prometheus: whom to ask.
        at: sample time of the tick that a block would begin with.

    Raises:
        MetricsUnavailable: no usable answer.
    """
    samples = prometheus.instant(queries.scraped_at(scope), at).samples
    if not samples and at - known.ended > BLIND:
        return ()
    oldest: dict[str, float] = {}
    for sample in samples:
        pod = sample.labels.get(POD_LABEL, "")
        if sample.value > 0:  # a target that is down has 0, and counts where another one of its pod is up
            oldest[pod] = min(sample.value, oldest.get(pod, sample.value))
    needed: Iterable[str] = known.canary | known.stable
    if at - known.ended > PATIENCE:
        needed = known.canary | (known.stable & oldest.keys())
    least = (known.ended + SETTLE).timestamp()
    return tuple(sorted(pod for pod in needed if oldest.get(pod, 0.0) <= least))
