"""Predictions or inputs of canary and stable: do both draw from the same distribution, and did the world change?

Only the comparison of canary and stable is evidence against the canary: the same world feeds both. The training
reference tells apart why: if both moved away from it and agree with each other, the world changed, which is told and
is no reason to roll back.
"""

from collections.abc import Sequence
from dataclasses import replace

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
from serinus.judge.states import DriftState, FromReference, Matched, SignalState
from serinus.judge.wire import as_remembered
from serinus.rollout.types import Signal, SignalKind
from serinus.stats import population_stability, reference
from serinus.stats.counts import Counts
from serinus.stats.dispersion import grouped
from serinus.stats.population_stability import Stability
from serinus.stats.two_samples import HALF_LIFE_TICKS, TwoSamples

_DECAY = 0.5 ** (1.0 / HALF_LIFE_TICKS)


def read(
    signal: Signal, course: Course, before: SignalState | None, measurement: Measurement, moment: Moment
) -> Reading:
    """Judge two histograms.

    Raises:
        BrokenInvariant: something else was measured.
    """
    start = before if isinstance(before, DriftState) else DriftState()
    if isinstance(measurement, Missing):
        return _reading(signal, course, nothing(measurement), start, start, None, moment)
    if not isinstance(measurement, HistogramMeasurement):
        raise wrong_sort(signal, measurement)
    state, hearing = start, _hear(start, measurement)
    if hearing.heard is Heard.TOLD:
        state = as_remembered(_compared(signal, course, start, measurement, moment))
    known = measurement if hearing.heard is not Heard.UNUSABLE else None
    return _reading(signal, course, hearing, start, state, known, moment)


def learn(course: Course, past: Sequence[Measurement]) -> DriftState:
    """Return the state after stable's ticks from before the rollout.

    Ticks whose edges are not those of the newest are left out: buckets were changed then.
    """
    ticks = [each for each in past if isinstance(each, HistogramMeasurement)]
    state = DriftState()
    if not ticks:
        return state
    layout = buckets.choose(_pooled(ticks), course.max_buckets)
    told = [tick for tick in ticks if not buckets.fits(layout, tick)]
    for tick in told:
        layout = buckets.grown(layout, tick, course.max_buckets)
        counts = buckets.sums(layout, tick, tick.stable.values())
        stable = _added(state.samples.stable, counts)
        state = replace(
            state,
            samples=TwoSamples.after(stable),
            dispersion=state.dispersion.plus(_rows(layout, tick).values()),
            before=sum(stable),
        )
    lasting = state.dispersion.learn([_rows(layout, tick) for tick in told])
    return as_remembered(_with_layout(replace(state, dispersion=lasting), layout))


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


def _compared(
    signal: Signal, course: Course, state: DriftState, measurement: HistogramMeasurement, moment: Moment
) -> DriftState:
    most = course.max_buckets
    layout = (
        buckets.grown(_layout(state, course), measurement, most)
        if _has_layout(state)
        else buckets.choose(measurement, most)
    )
    canary = buckets.sums(layout, measurement, measurement.canary.values())
    stable = buckets.sums(layout, measurement, measurement.stable.values())
    samples = state.samples.plus(
        canary,
        stable,
        start=state.schedule.start(course, moment),
        threshold=course.threshold,
        confirm_ticks=course.confirm_ticks,
        dispersion=state.dispersion.factor,
        ordered=bool(layout.edges),
    )
    after = DriftState(
        samples=samples,
        schedule=state.schedule.after(moment, samples.evidence),
        dispersion=state.dispersion.plus(_rows(layout, measurement).values()),
        before=state.before,
        matched=state.matched.plus(sum(canary), stable, 1.0),
        recent=state.recent.plus(sum(canary), stable, _DECAY),
    )
    trained = None if measurement.reference is None else buckets.sums(layout, measurement, [measurement.reference])
    if trained is not None and any(trained):
        after = replace(after, from_reference=_from_reference(signal, course, after, trained, bool(layout.edges)))
    return _with_layout(after, layout)


def _rows(layout: Layout, measurement: HistogramMeasurement) -> dict[str, tuple[float, ...]]:
    """Return stable's pods, name to counts in few groups of neighbouring buckets."""
    return {pod: grouped(buckets.sums(layout, measurement, [row])) for pod, row in measurement.stable.items()}


def _runs(base: Sequence[float], ordered: bool) -> tuple[tuple[int, int], ...]:
    """Return which buckets are taken together: small neighbours of a number, never categories."""
    return population_stability.groups(base) if ordered else tuple((place, place + 1) for place in range(len(base)))


def _from_reference(
    signal: Signal, course: Course, state: DriftState, trained: tuple[int, ...], ordered: bool
) -> FromReference:
    """Return how far both sides are from the training reference, in groups of which each has some of its mass."""
    runs = _runs(trained, ordered)
    origin = population_stability.merge(trained, runs)
    canary = population_stability.merge(state.samples.canary, runs)
    stable = population_stability.merge(state.matched.observations, runs)
    ours, theirs = population_stability.stability(canary, origin), population_stability.stability(stable, origin)
    moved = all(
        apart is not None and apart.lower >= signal.margin and reference.evidence(counts, origin) >= course.sure
        for apart, counts in ((ours, canary), (theirs, stable))
    )
    return FromReference(
        canary=None if ours is None else ours.estimate,
        stable=None if theirs is None else theirs.estimate,
        both_moved=moved,
    )


def _apart(canary: Sequence[float], stable: Matched, ordered: bool) -> Stability | None:
    """Return the PSI of the sides, in groups of which each has some of the mass of both together."""
    observations = stable.observations
    runs = _runs([ours + theirs for ours, theirs in zip(canary, stable.counts, strict=True)], ordered)
    return population_stability.stability(
        population_stability.merge(canary, runs), population_stability.merge(observations, runs)
    )


def _effect(state: DriftState) -> tuple[Stability | None, bool]:
    """Return how far the sides are apart, of all ticks or of the recent ones if those are clearer, and whether so."""
    if not state.matched.counts:
        return None, False
    ordered = bool(state.edges)
    overall = _apart(state.samples.canary, state.matched, ordered)
    late = _apart(state.samples.recent, state.recent, ordered)
    leads = overall is not None and late is not None and late.lower > overall.lower
    return (late if leads else overall), leads


def _reading(
    signal: Signal,
    course: Course,
    hearing: Hearing,
    before: DriftState,
    state: DriftState,
    measurement: HistogramMeasurement | None,
    moment: Moment,
) -> Reading:
    effect, lately = _effect(state)
    charge = Charge(
        evidence=state.samples.evidence,
        before=before.samples.evidence,
        peak=state.schedule.peak,
        practical=effect is not None and effect.lower >= signal.margin,
        reason=WORSE[signal.kind],
    )
    trained = state.from_reference
    changed = trained is not None and trained.both_moved and charge.evidence < course.near
    drawn = sum(state.samples.canary)
    return Reading(
        signal=signal,
        course=course,
        hearing=hearing,
        state=state,
        charges=(charge,),
        ticks=state.schedule.ticks,
        moved=state != before,
        heard_in_step=state.schedule.is_in(moment),
        told=_told(signal, course, state, effect, lately, changed),
        modest=not charge.practical,
        finding=contract.REASON_WORLD_CHANGED if changed else "",
        canary_pods=None if measurement is None else sum(1 for row in measurement.canary.values() if any(row)),
        effect=None if effect is None else effect.estimate,
        effect_standard_error=None if effect is None else effect.standard_error,
        dispersion=state.dispersion.factor,
        canary_from_reference=None if trained is None else trained.canary,
        stable_from_reference=None if trained is None else trained.stable,
        counts=Counts(canary_total=drawn, stable_total=sum(state.samples.stable) - state.before),
    )


def _told(
    signal: Signal, course: Course, state: DriftState, effect: Stability | None, lately: bool, changed: bool
) -> str:
    if effect is None:
        return ""
    what = "predictions" if signal.kind is SignalKind.PREDICTION_DRIFT else "inputs"
    drawn = sum(state.samples.stable) - state.before
    told = (
        f"{sum(state.samples.canary):,} {what} of the canary are apart from {drawn:,} of stable by "
        f"PSI {effect.estimate:z.2f} ± {effect.standard_error:.2f}{' lately' if lately else ''}, "
        f"margin {signal.margin:g}; {contests.against(state.samples.evidence, course.threshold)}"
    )
    trained = state.from_reference
    if trained is not None and trained.canary is not None and trained.stable is not None:
        told += f"; from the training data: canary {trained.canary:z.2f}, stable {trained.stable:z.2f}"
    if changed:
        told += ", and both agree: the world changed, not the model; train anew on newer data"
    return told + words.scatter(state.dispersion.factor)
