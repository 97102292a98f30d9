"""Flagger: the canary's success rate against a fixed bound, breaches counted for ever.

Source: fluxcd/flagger 15bd6ad5, ``pkg/controller/scheduler.go`` and the page "How it works". A tick first rolls back
if ``failedChecks`` has reached the threshold, so that the rollback comes one tick after the last breach; then it
measures; a breach raises ``failedChecks`` and ends the tick, a good tick raises the weight. ``failedChecks`` is never
reset. Only the canary is asked. No request, a NaN or a failed query is a breach.

Simplified: the metric is the exact share of the window's requests, not a ratio of extrapolated rates; webhooks, the
confirmation gates and the time that primary pods take to follow at the end are left out. In cells of constant weight
the check runs at each tick of the cell (kinder to speed than its default of a minute); in whole rollouts once a minute.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.policy import CANARY_BAD, CANARY_TOTAL, NEVER, Conditions, Outcome, TickData
from benchmarks.peers.windows import ticks_of, trailing

INTERVAL_SECONDS = 60.0
WINDOW_SECONDS = 60.0
STEP_WEIGHT = 5
MAX_WEIGHT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagger:
    """One configuration of Flagger.

    Attributes:
        name: as the tables print it.
        minimum: success rate below which a check fails, a share.
        threshold: failed checks that end the rollout.
    """

    name: str
    minimum: float
    threshold: int

    def start(self, conditions: Conditions) -> "FlaggerRun":
        """Begin a rollout: with several steps its own weights (5, 10 ... 50 %), with one step that weight for ever."""
        return FlaggerRun(rule=self, conditions=conditions)

    def first_rollbacks(self, counts: NDArray[np.int64], conditions: Conditions) -> NDArray[np.int64]:
        """Return the tick of each replicate's rollback; see ``BatchPolicy``."""
        window = trailing(counts, ticks_of(WINDOW_SECONDS, conditions.interval_seconds))
        breached = breaches(window[..., CANARY_TOTAL], window[..., CANARY_BAD], self.minimum)
        reached = np.cumsum(breached, axis=1) >= self.threshold
        # Rolled back before the tick after the last breach measures.
        tick = reached.argmax(axis=1) + 2
        return np.where(reached.any(axis=1) & (tick <= counts.shape[1]), tick, NEVER)


def breaches(total: NDArray[np.int64], bad: NDArray[np.int64], minimum: float) -> NDArray[np.bool_]:
    """Tell which checks fail: success rate below ``minimum`` (a share), or no request at all."""
    success = 1.0 - bad / np.maximum(total, 1)
    return np.asarray((total == 0) | (success < minimum))


@dataclass(slots=True, kw_only=True)
class FlaggerRun:
    """One rollout: failed checks so far and the weight in force."""

    rule: Flagger
    conditions: Conditions
    failed: int = 0
    weight: int = field(init=False)
    _window: "deque[tuple[int, int]]" = field(init=False)
    _interval: int = field(init=False)

    def __post_init__(self) -> None:
        seconds = self.conditions.interval_seconds
        self._window = deque(maxlen=ticks_of(WINDOW_SECONDS, seconds))
        self._interval = ticks_of(INTERVAL_SECONDS, seconds) if self._ramps else 1
        self.weight = STEP_WEIGHT if self._ramps else self.conditions.steps[0]

    @property
    def _ramps(self) -> bool:
        return len(self.conditions.steps) > 1

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Take in a tick; decide if a check is due."""
        total, bad, _, _ = tick.counts
        self._window.append((total, bad))
        return self._check() if tick.number % self._interval == 0 else None

    def _check(self) -> Outcome | None:
        if self.failed >= self.rule.threshold:
            return Outcome.ROLLBACK
        total, bad = (sum(column) for column in zip(*self._window, strict=True))
        if total == 0 or 1.0 - bad / total < self.rule.minimum:
            self.failed += 1
        elif self._ramps and self.weight >= MAX_WEIGHT:
            return Outcome.PROMOTE
        elif self._ramps:
            self.weight = min(self.weight + STEP_WEIGHT, MAX_WEIGHT)
        return None


F99 = Flagger(name="F99", minimum=0.99, threshold=10)
F98 = Flagger(name="F98", minimum=0.98, threshold=5)
