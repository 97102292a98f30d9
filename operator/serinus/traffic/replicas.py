"""Split traffic by pods behind one Service: no dependency, and shares only as fine as there are pods.

The unit of splitting is the connection: a kept-alive one stays where it is until its pod ends.
"""

from serinus.rollout import steps
from serinus.rollout.plan import is_exposed
from serinus.rollout.types import Observed, Progress


def actual_weight(progress: Progress, observed: Observed) -> int:
    """Return the share of new connections that the canary's ready pods get now, in percent; 0 while none reach it."""
    if progress.stable is None or progress.canary is None or not is_exposed(progress, observed):
        return 0
    canary = observed.ready_pods(progress.canary.revision)
    return steps.share_percent(canary, observed.ready_pods(progress.stable.revision))
