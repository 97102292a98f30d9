"""Find out at a tick by what both sides are read, and tell a canary that nobody asks from one that nobody can read.

Knows recognitions and readings. Must not know ticks, evidence or the cluster.
"""

from collections.abc import Mapping

from serinus import contract
from serinus.controller.read_signal import SignalReading, missing
from serinus.errors import BadQuery
from serinus.judge.measurements import HistogramMeasurement, RateMeasurement
from serinus.prometheus.reader import Reader
from serinus.rollout.types import Signal
from serinus.signals.detection import looked_for
from serinus.signals.feasibility import REQUEST_KINDS
from serinus.signals.recognition import Recognition, Recognitions, is_settled, recognise_sides
from serinus.signals.scope import BySide, Scope, Side, alike

MOST_UNNOTICED = 10
"""Requests that a side may miss by chance: none of ten comes once in 22 000 blocks."""


def recognised(
    signals: tuple[Signal, ...],
    declared: BySide[str],
    scope: Scope,
    reader: Reader,
    before: Mapping[str, Recognition],
) -> Recognitions:
    """Return by what both sides are read; Prometheus is asked only while that is not settled.

    Raises:
        MetricsUnavailable: no usable answer.
    """
    revisions = BySide(canary=scope.revision(Side.CANARY), stable=scope.revision(Side.STABLE))
    if revisions.canary in before and revisions.stable in before:
        known = BySide(canary=before[revisions.canary], stable=before[revisions.stable])
        if is_settled(known, signals):
            return known
    try:
        exported = reader.exported(looked_for())
    except BadQuery as error:
        # A proxy may forbid to ask for names, or a limit be too low: what is declared is read then.
        reader.remarks.add(f"what the pods export cannot be asked for: {error.message}")
        exported = alike(frozenset[str]())
    return recognise_sides(revisions, declared, exported, before)


def or_unrecognised(signal: Signal, reading: SignalReading, known: Recognitions, due: float) -> SignalReading:
    """Return a reading, unless the canary should have had requests and exports nothing of what counts them.

    A server that renamed its metrics looks like one that nobody asks: what stable got tells them apart.

    Args:
        signal: of the frozen plan.
        reading: of this tick.
        known: by what both sides are read.
        due: requests that the canary should have got for each one of stable's; 0: unknown.
    """
    measured = reading.measurement
    if signal.kind not in REQUEST_KINDS or not reading.unseen:
        return reading
    if isinstance(measured, HistogramMeasurement):
        stable = sum(sum(row) for row in measured.stable.values())
    elif isinstance(measured, RateMeasurement):
        stable = measured.counts.stable_total
    else:
        return reading
    if stable * due < MOST_UNNOTICED:
        return reading
    return missing(
        contract.REASON_NOT_RECOGNISED,
        f"about {stable * due:.0f} requests should have come to the canary, but its pods export no {reading.unseen}, "
        f"which stable is counted by ({known.stable.runtime}): its server may have renamed it or its labels, so set "
        "spec.runtime or give the signal metrics; or no request reached it",
    )
