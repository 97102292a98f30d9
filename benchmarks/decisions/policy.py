"""What the benchmark asks of anybody who decides about a canary: one protocol for Serinus and all peers.

Knows ticks and outcomes. Must not know how traffic is made or how results are told.

Two ways in. ``start`` gives a run that sees one tick after the other: it serves whole rollouts, in which the policy
chooses the weight, and signals of every sort. ``first_rollbacks`` decides many replicates of a cell of constant weight
at once, from arrays: it serves the large grids of error counts. A policy may offer either, or both.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

CANARY_TOTAL, CANARY_BAD, STABLE_TOTAL, STABLE_BAD = range(4)
"""Columns of an array of counts."""
NEVER = -1
"""In an array of first rollbacks: the replicate was not rolled back."""


class Outcome(StrEnum):
    """How a rollout ends. A run that goes on gives None."""

    ROLLBACK = "rollback"
    PROMOTE = "promote"
    PAUSE = "pause"
    """Given up undecided: a person has to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a policy may know before it starts. Never the true shares."""

    interval_seconds: float = 30.0
    """Length of a tick."""
    ticks: int = 120
    """Ticks after which the cell ends."""
    alpha: float = 0.05
    """Chance of a false rollback that is asked for; peers without such a knob ignore it."""
    beta: float = 0.05
    margin: float = 0.005
    """Practical margin, a share (errors, slow requests), or a PSI (drift)."""
    unacceptable: float = 0.01
    steps: tuple[int, ...] = (10,)
    """Weights in percent. One: constant weight, and only the rollback is looked at."""
    edges: tuple[float, ...] = ()
    """Finite upper edges of the buckets of ``TickData.values``, if numeric."""
    reference: tuple[int, ...] | None = None
    """Counts of the training reference in the same buckets."""
    before: "tuple[TickData, ...]" = ()
    """Stable's ticks from before the rollout; peers do not look at them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickData:
    """What happened in one tick: increments, never totals since the start."""

    number: int
    """Counted from 1."""
    weight: int
    """Percent of traffic that the canary got in this tick."""
    canary: tuple[tuple[int, int], ...] = ()
    """Per pod: requests and bad requests."""
    stable: tuple[tuple[int, int], ...] = ()
    canary_values: tuple[tuple[int, ...], ...] = ()
    """Per pod: counts per bucket, the last is the overflow (latency in seconds, scores) or per category."""
    stable_values: tuple[tuple[int, ...], ...] = ()

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Return canary total, canary bad, stable total, stable bad: summed over pods."""
        return (
            sum(total for total, _ in self.canary),
            sum(bad for _, bad in self.canary),
            sum(total for total, _ in self.stable),
            sum(bad for _, bad in self.stable),
        )


class Run(Protocol):
    """One rollout under a policy."""

    @property
    def weight(self) -> int:
        """Percent of traffic that the canary is to get in the next tick."""

    def on_tick(self, tick: TickData) -> Outcome | None:
        """Take in a tick and say whether the rollout ends now; None: it goes on."""


@runtime_checkable
class Policy(Protocol):
    """Decides tick by tick."""

    @property
    def name(self) -> str:
        """Return what the tables print."""

    def start(self, conditions: Conditions) -> Run:
        """Begin a rollout."""


@runtime_checkable
class BatchPolicy(Protocol):
    """Decides many replicates of a cell of constant weight at once."""

    @property
    def name(self) -> str:
        """Return what the tables print."""

    def first_rollbacks(self, counts: NDArray[np.int64], conditions: Conditions) -> NDArray[np.int64]:
        """Return for each replicate the tick, counted from 1, at whose end it is rolled back, or ``NEVER``.

        Args:
            counts: increments, shape (replicates, ticks, 4), columns as named above.
            conditions: of the cell.
        """


@runtime_checkable
class CalibratedPolicy(Protocol):
    """The yardstick: a rule whose threshold is fitted to the very cell, which nobody can do in practice."""

    @property
    def name(self) -> str:
        """Return what the tables print."""

    def calibrated(self, null: NDArray[np.int64], conditions: Conditions) -> BatchPolicy:
        """Return the policy whose share of rollbacks among these null replicates is ``conditions.alpha``."""
