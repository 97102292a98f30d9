"""Remember by which presets a revision's metrics are read, from what its pods export.

Knows presets and names of metrics. Must not know pods, ticks or how names were asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from serinus.rollout.types import Signal, SignalKind
from serinus.signals.detection import detect
from serinus.signals.presets import preset
from serinus.signals.scope import BySide
from serinus.signals.views import View, Views

_DATA_KINDS = frozenset(
    {SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT, SignalKind.IMPLAUSIBLE, SignalKind.ACCURACY}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """By which presets one revision is read, and why."""

    revision: str
    runtime: str
    """Name of the server's preset."""
    data: str | None = None
    """Name of the preset of instrumentation beside it."""
    recognised: bool = False
    """False: nothing recognisable was seen yet, and ``runtime`` is what was declared or what stable is read by."""
    because: str = ""
    """A sentence for people."""
    contradicts: bool = False
    """Another server's metrics are there, and none of those that were expected."""


Recognitions = BySide[Recognition]


def recognise(revision: str, declared: str, exported: frozenset[str]) -> Recognition:
    """Return by what a revision is read, given the names of metrics that its pods export.

    Args:
        revision: whose pods.
        declared: the runtime that the revision was rendered with.
        exported: of those that ``detection.looked_for`` names.
    """
    found = detect(exported, declared)
    return Recognition(
        revision=revision,
        runtime=found.server or preset(declared).runtime,
        data=found.data,
        recognised=found.server is not None,
        because=found.because,
        contradicts=found.contradicts,
    )


def recognise_sides(
    revisions: BySide[str], declared: BySide[str], exported: BySide[frozenset[str]], before: Mapping[str, Recognition]
) -> Recognitions:
    """Return by what both sides are read, each by what its own pods export.

    A canary of the same runtime as stable is expected to be read as stable is, until its metrics tell otherwise.
    What was recognised before stays, so that nothing changes in the middle of an attempt when series come and go.
    """
    stable = _kept(before.get(revisions.stable), recognise(revisions.stable, declared.stable, exported.stable))
    as_stable = stable.recognised and declared.canary == declared.stable
    expected = stable.runtime if as_stable else declared.canary
    canary = recognise(revisions.canary, expected, exported.canary)
    if as_stable and (canary.contradicts or not canary.recognised):
        canary = _unlike(stable, recognise(revisions.canary, declared.canary, exported.canary))
    return BySide(canary=_kept(before.get(revisions.canary), canary), stable=stable)


def _unlike(stable: Recognition, canary: Recognition) -> Recognition:
    """Say of a canary that exports none of what stable is read by what it is read by."""
    if not canary.recognised:
        because = f"nothing was recognised yet, so it is read as {stable.runtime}, as stable is"
        return replace(canary, runtime=stable.runtime, because=because)
    because = f"it exports metrics of {canary.runtime}, and none of {stable.runtime}, which stable is read by"
    return replace(canary, contradicts=canary.runtime != stable.runtime, because=because)


def _kept(before: Recognition | None, now: Recognition) -> Recognition:
    """Keep what was recognised before; what contradicted expectation stands until something else is recognised."""
    if before is None or not before.recognised or (before.contradicts and now.recognised):
        return now
    return replace(before, data=before.data or now.data)


def is_settled(known: Recognitions, signals: Iterable[Signal]) -> bool:
    """Tell whether asking again would tell nothing new."""
    wants_data = any(needs_data(signal) for signal in signals)
    return all(
        each.recognised and not each.contradicts and (each.data is not None or not wants_data)
        for each in (known.canary, known.stable)
    )


def needs_data(signal: Signal) -> bool:
    """Tell whether a signal is about data and has no metrics of its own."""
    own = signal.total is not None or signal.buckets is not None or signal.categories is not None
    return signal.kind in _DATA_KINDS and not own


def views_of(known: Recognitions, model: str) -> Views:
    """Return the presets that both sides are read by, with the model's name filled in."""

    def view(of: Recognition) -> View:
        return View(
            server=preset(of.runtime).bound_to(model), data=None if of.data is None else preset(of.data).bound_to(model)
        )

    return known.mapped(view)
