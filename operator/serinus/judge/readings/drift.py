"""Predictions or inputs of canary and stable: do both draw from the same distribution, and did the world change?

Only the comparison of canary and stable is evidence against the canary: the same world feeds both. The training
reference tells apart why: if both moved away from it and agree with each other, the world changed, which is told and
is no reason to roll back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from serinus import contract
from serinus.judge import buckets, words
from serinus.judge.buckets import Layout
from serinus.judge.course import Course, Moment
from serinus.judge.measurements import HistogramMeasurement, Measurement, Missing
from serinus.judge.readings import contests
from serinus.judge.readings.reading import (
    NO_BASELINE,
    NO_TRAFFIC,
    TOLD,
    WORSE,
    Charge,
    Heard,
    Hearing,
    Reading,
    mismatch,
    nothing,
    wrong_sort,
)
from serinus.judge.states import DriftState, SignalState
from serinus.judge.wire import as_remembered
from serinus.rollout.types import Signal, SignalKind
from serinus.stats import population_stability, reference
from serinus.stats.counts import Counts
from serinus.stats.population_stability import Stability
from serinus.stats.two_samples import TwoSamples

_MOST_ROWS = 12
"""Groups of buckets in which the scatter between pods is looked for."""


def read(
    signal: Signal, course: Course, before: SignalState | None, measurement: Measurement, moment: Moment
) -> Reading:
    """Judge two histograms.

    Raises:
        BrokenInvariant: something else was measured.
    """
    start = before if isinstance(before, DriftState) else DriftState()
    if isinstance(measurement, Missing):
        return _reading(signal, course, nothing(measurement), start, None, moved=False)
    if not isinstance(measurement, HistogramMeasurement):
        raise wrong_sort(signal, measurement)
    state, hearing = start, _hear(start, measurement)
    if hearing.heard is Heard.TOLD:
        state = as_remembered(_compared(course, start, measurement, moment))
    known = measurement if hearing.heard is not Heard.UNUSABLE else None
    return _reading(signal, course, hearing, state, known, moved=state != start)


def learn(course: Course, past: Sequence[Measurement]) -> DriftState:
    """Return the state after stable's ticks from before the rollout.

    Ticks whose edges are not those of the newest are left out: buckets were changed then.
    """
    ticks = [each for each in past if isinstance(each, HistogramMeasurement)]
    state = DriftState()
    if not ticks:
        return state
    layout = buckets.choose(_pooled(ticks), course.max_buckets)
    for tick in ticks:
        if buckets.fits(layout, tick):
            continue
        layout = buckets.grown(layout, tick, course.max_buckets)
        counts = buckets.sums(layout, tick, tick.stable.values())
        stable = _added(state.samples.stable, counts)
        state = replace(
            state,
            samples=TwoSamples.after(stable),
            dispersion=state.dispersion.plus(_rows(layout, tick)),
            before=sum(stable),
        )
    return as_remembered(_with_layout(state, layout))


def _pooled(ticks: list[HistogramMeasurement]) -> HistogramMeasurement:
    newest = ticks[-1]
    alike = [tick for tick in ticks if tick.edges == newest.edges and tick.categories == newest.categories]
    rows = {str(index): tuple(tick.canary_and_stable) for index, tick in enumerate(alike)}
    return replace(newest, canary={}, stable=rows)


def _added(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    size = max(len(left), len(right))
    return tuple(
        (left[place] if place < len(left) else 0) + (right[place] if place < len(right) else 0) for place in range(size)
    )


def _layout(state: DriftState, course: Course) -> Layout:
    full = len(state.categories) >= course.max_buckets - 1 and len(state.samples.stable) > len(state.categories)
    return Layout(edges=state.edges, categories=state.categories, full=full)


def _with_layout(state: DriftState, layout: Layout) -> DriftState:
    return replace(state, edges=layout.edges, categories=layout.categories)


def _has_layout(state: DriftState) -> bool:
    return bool(state.edges or state.categories)


def _hear(state: DriftState, measurement: HistogramMeasurement) -> Hearing:
    if _has_layout(state):
        wrong = buckets.fits(Layout(edges=state.edges, categories=state.categories), measurement)
        if wrong:
            return mismatch(wrong)
    if not any(map(any, measurement.canary.values())):
        return NO_TRAFFIC
    if not any(map(any, measurement.stable.values())):
        return NO_BASELINE
    wrong = buckets.overflow(measurement, state.samples.stable)
    return mismatch(wrong) if wrong else TOLD


def _compared(course: Course, state: DriftState, measurement: HistogramMeasurement, moment: Moment) -> DriftState:
    most = course.max_buckets
    layout = (
        buckets.grown(_layout(state, course), measurement, most)
        if _has_layout(state)
        else buckets.choose(measurement, most)
    )
    samples = state.samples.plus(
        buckets.sums(layout, measurement, measurement.canary.values()),
        buckets.sums(layout, measurement, measurement.stable.values()),
        start=state.schedule.start(course, moment),
        threshold=course.threshold,
        confirm_ticks=course.confirm_ticks,
        dispersion=state.dispersion.factor,
        ordered=bool(layout.edges),
    )
    after = DriftState(
        samples=samples,
        schedule=state.schedule.after(moment, samples.evidence),
        dispersion=state.dispersion.plus(_rows(layout, measurement)),
        before=state.before,
    )
    return _with_layout(after, layout)


def _rows(layout: Layout, measurement: HistogramMeasurement) -> list[list[int]]:
    """Return stable's pods in few groups of neighbouring buckets."""
    rows = []
    for row in measurement.stable.values():
        counts = buckets.sums(layout, measurement, [row])
        groups = [0] * min(len(counts), _MOST_ROWS)
        for place, count in enumerate(counts):
            groups[place * len(groups) // len(counts)] += count
        rows.append(groups)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effect:
    """How far the sides are apart, and how far each is from the training reference."""

    sides: Stability | None = None
    lately: bool = False
    canary: Stability | None = None
    stable: Stability | None = None
    both_moved: bool = False


def _effect(signal: Signal, course: Course, state: DriftState, measurement: HistogramMeasurement | None) -> _Effect:
    samples, trained = state.samples, None
    if measurement is not None and measurement.reference is not None and _has_layout(state):
        layout = buckets.grown(_layout(state, course), measurement, course.max_buckets)
        counts = buckets.sums(layout, measurement, [measurement.reference])
        trained = counts if any(counts) else None
    size = max(len(samples.canary), len(samples.stable), len(trained or ()))
    canary, stable = _added(samples.canary, (0,) * size), _added(samples.stable, (0,) * size)
    recent = _added(tuple(map(round, samples.recent)), (0,) * size)
    base = _added(trained or stable, (0,) * size)
    runs = population_stability.groups(base) if state.edges else tuple((place, place + 1) for place in range(size))
    left, lately, right, origin = (population_stability.merge(each, runs) for each in (canary, recent, stable, base))
    overall, late = population_stability.stability(left, right), population_stability.stability(lately, right)
    leads = overall is not None and late is not None and late.lower > overall.lower
    if trained is None:
        return _Effect(sides=late if leads else overall, lately=leads)
    ours, theirs = population_stability.stability(left, origin), population_stability.stability(right, origin)
    moved = all(
        apart is not None and apart.lower >= signal.margin and reference.evidence(counts, origin) >= course.sure
        for apart, counts in ((ours, left), (theirs, right))
    )
    return _Effect(sides=late if leads else overall, lately=leads, canary=ours, stable=theirs, both_moved=moved)


def _reading(
    signal: Signal,
    course: Course,
    hearing: Hearing,
    state: DriftState,
    measurement: HistogramMeasurement | None,
    *,
    moved: bool,
) -> Reading:
    effect = _effect(signal, course, state, measurement)
    charge = Charge(
        evidence=state.samples.evidence,
        peak=state.schedule.peak,
        practical=effect.sides is not None and effect.sides.lower >= signal.margin,
        reason=WORSE[signal.kind],
    )
    changed = effect.both_moved and charge.evidence < course.near
    drawn = sum(state.samples.canary)
    return Reading(
        signal=signal,
        course=course,
        hearing=hearing,
        state=state,
        charges=(charge,),
        ticks=state.schedule.ticks,
        moved=moved,
        told=_told(signal, course, state, effect, changed),
        modest=not charge.practical,
        finding=contract.REASON_WORLD_CHANGED if changed else "",
        canary_pods=None if measurement is None else sum(1 for row in measurement.canary.values() if any(row)),
        effect=None if effect.sides is None else effect.sides.estimate,
        effect_standard_error=None if effect.sides is None else effect.sides.standard_error,
        dispersion=state.dispersion.factor,
        canary_from_reference=None if effect.canary is None else effect.canary.estimate,
        stable_from_reference=None if effect.stable is None else effect.stable.estimate,
        counts=Counts(canary_total=drawn, stable_total=sum(state.samples.stable) - state.before),
    )


def _told(signal: Signal, course: Course, state: DriftState, effect: _Effect, changed: bool) -> str:
    if effect.sides is None:
        return ""
    what = "predictions" if signal.kind is SignalKind.PREDICTION_DRIFT else "inputs"
    lately = " lately" if effect.lately else ""
    told = (
        f"{sum(state.samples.canary):,} {what} of the canary are apart from {sum(state.samples.stable):,} of stable by "
        f"PSI {effect.sides.estimate:.2f} ± {effect.sides.standard_error:.2f}{lately}, margin {signal.margin:g}; "
        f"{contests.against(state.samples.evidence, course.threshold)}"
    )
    if effect.canary is not None and effect.stable is not None:
        told += f"; from the training data: canary {effect.canary.estimate:.2f}, stable {effect.stable.estimate:.2f}"
    if changed:
        told += ", and both agree: the world changed, not the model; train anew on newer data"
    return told + words.scatter(state.dispersion.factor)
