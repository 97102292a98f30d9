"""A whole histogram of durations: requests are compared at a few edges, from the median up to beyond the tail.

The null is that the canary is slower at none of them. Each edge runs to as many times the threshold as there are
edges, and evidence is their mean: if each stopped at the threshold itself, the mean could hardly get there. Every edge
has its own proof, and promotion needs all of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from serinus.judge import words
from serinus.judge.course import EDGES_WITH_TAIL, Course, Moment
from serinus.judge.measurements import HistogramMeasurement, Measurement, Missing, RateMeasurement
from serinus.judge.readings import contests
from serinus.judge.readings.reading import WORSE, Charge, Heard, Hearing, Reading, mismatch, nothing, wrong_sort
from serinus.judge.states import Contest, LatencyState, Scatter, SignalState
from serinus.judge.wire import as_remembered
from serinus.rollout.types import Signal
from serinus.stats import edges
from serinus.stats.pod_spread import PodSpread

_SHOWN = 3
"""Requests of stable above an edge, of one tick."""


def read(
    signal: Signal, course: Course, before: SignalState | None, measurement: Measurement, moment: Moment
) -> Reading:
    """Judge a latency histogram without a bound.

    Raises:
        BrokenInvariant: something else was measured.
    """
    start = before if isinstance(before, LatencyState) else LatencyState()
    state = start
    if isinstance(measurement, Missing):
        return _reading(signal, course, nothing(measurement), start, state, None, moment)
    if not isinstance(measurement, HistogramMeasurement):
        raise wrong_sort(signal, measurement)
    hearing = _hear(state, measurement)
    if hearing.heard is Heard.TOLD:
        chosen = state if state.edges else _chosen(course, measurement.canary_and_stable, measurement.edges)
        state = as_remembered(_compared(signal, course, chosen, measurement, moment))
    return _reading(signal, course, hearing, start, state, measurement, moment)


def learn(course: Course, past: Sequence[Measurement]) -> LatencyState:
    """Return the state after stable's ticks from before the rollout, edges chosen from all of them together.

    Ticks whose edges are not those of the newest are left out: buckets were changed then.
    """
    ticks = [each for each in past if isinstance(each, HistogramMeasurement) and each.edges]
    alike = [tick for tick in ticks if tick.edges == ticks[-1].edges]
    pooled = [sum(column) for column in zip(*(tick.canary_and_stable for tick in alike), strict=True)]
    if not sum(pooled):
        return LatencyState()
    state = _chosen(course, pooled, alike[-1].edges)
    for tick in alike:
        rates = [tick.above(edge) for edge in state.edges]
        state = LatencyState(
            edges=state.edges,
            contests=tuple(
                contests.learnt(contest, each.counts) for contest, each in zip(state.contests, rates, strict=True)
            ),
            scatter=_scattered(state.scatter, rates),
            tail=_in_tail(course, state.tail, rates),
        )
    lasting = state.scatter.dispersion.learn([_between([tick.above(edge) for edge in state.edges]) for tick in alike])
    return as_remembered(replace(state, scatter=replace(state.scatter, dispersion=lasting)))


def _hear(state: LatencyState, measurement: HistogramMeasurement) -> Hearing:
    if not measurement.edges:
        return mismatch("durations need buckets with edges, and these have none")
    lost = [edge for edge in state.edges if edge not in measurement.edges]
    if lost:
        return mismatch(
            f"the histogram has lost the edge {words.seconds(lost[0])} at which requests are compared; "
            "give canary and stable the same buckets as at the start of the rollout"
        )
    return contests.hear(measurement.above(measurement.edges[0]).counts)


def _chosen(course: Course, pooled: list[int], of: tuple[float, ...]) -> LatencyState:
    indices = edges.choose(pooled, of, course.max_edges)
    return LatencyState(
        edges=tuple(of[index] for index in indices), contests=tuple(contests.fresh(course) for _ in indices)
    )


def _compared(
    signal: Signal, course: Course, state: LatencyState, measurement: HistogramMeasurement, moment: Moment
) -> LatencyState:
    rates = [measurement.above(edge) for edge in state.edges]
    pods, alpha = contests.pods(rates[0]), 1.0 / course.threshold
    lowest = state.scatter.spread.null_odds(*pods, alpha)
    higher = max(lowest, state.tail.null_odds(*pods, alpha))
    return LatencyState(
        edges=state.edges,
        contests=tuple(
            contests.moved(
                signal,
                course,
                contest,
                each.counts,
                moment,
                threshold=course.threshold * len(rates),
                dispersion=state.scatter.dispersion.factor,
                null_odds=higher if index else lowest,
            )
            for index, (contest, each) in enumerate(zip(state.contests, rates, strict=True))
        ),
        scatter=_scattered(state.scatter, rates),
        tail=_in_tail(course, state.tail, rates),
    )


def _scattered(before: Scatter, rates: list[RateMeasurement]) -> Scatter:
    """Add a tick: bursts show in the requests between the edges, unlike pods at the lowest edge, where most are."""
    rows = _between(rates).values()
    return Scatter(dispersion=before.dispersion.plus(rows), spread=before.spread.plus(rates[0].stable))


def _between(rates: list[RateMeasurement]) -> dict[str, list[int]]:
    """Return stable's pods, name to requests between the edges."""
    rows = {}
    for pod, (total, slower) in rates[0].stable.items():
        above = [slower, *(each.stable[pod][1] for each in rates[1:]), 0]
        rows[pod] = [total - slower, *(low - high for low, high in pairwise(above))]
    return rows


def _in_tail(course: Course, before: PodSpread, rates: list[RateMeasurement]) -> PodSpread:
    """Add a tick: pods may be alike in the bulk and differ in the tail, at the highest edge that shows something."""
    if course.max_edges < EDGES_WITH_TAIL:
        return before
    shown = [each for each in rates[1:] if each.counts.stable_bad >= _SHOWN]
    return before.plus(shown[-1].stable) if shown else before


def _reading(
    signal: Signal,
    course: Course,
    hearing: Hearing,
    before: LatencyState,
    state: LatencyState,
    measurement: HistogramMeasurement | None,
    moment: Moment,
) -> Reading:
    all_contests = state.contests or (contests.fresh(course),)
    earlier = before.contests or tuple(contests.fresh(course) for _ in all_contests)
    charges = tuple(
        contests.charge(signal, contest, past, WORSE[signal.kind])
        for contest, past in zip(all_contests, earlier, strict=True)
    )
    factor = state.scatter.dispersion.factor
    leading = max(range(len(charges)), key=lambda index: _weight(charges[index], all_contests[index]))
    first, overall = all_contests[leading], all_contests[leading].difference.overall
    evidence = sum(charge.evidence for charge in charges) / len(charges)
    return Reading(
        signal=signal,
        course=course,
        hearing=hearing,
        state=state,
        charges=charges,
        ticks=first.schedule.ticks,
        moved=state != before,
        heard_in_step=first.schedule.is_in(moment),
        told=_told(signal, course, state, first, leading, evidence),
        modest=all(contests.is_modest(signal, each, moment) for each in all_contests),
        safety=min(each.exposure.safety(moment.next_weight) for each in all_contests),
        more_requests=max(contests.more_requests(signal, course, each, moment, factor) for each in all_contests),
        canary_requests=contests.requests_per_tick(first),
        canary_pods=None if measurement is None else sum(1 for row in measurement.canary.values() if any(row)),
        effect=overall.estimate,
        effect_standard_error=overall.standard_error,
        dispersion=factor,
        counts=first.counts,
    )


def _weight(charge: Charge, contest: Contest) -> tuple[bool, float, float]:
    """Return what makes an edge the one to tell of: several may stand at the cap, the clearest effect says most."""
    return charge.practical, round(charge.evidence, 6), contest.difference.overall.lower or 0.0


def _told(signal: Signal, course: Course, state: LatencyState, leading: Contest, index: int, evidence: float) -> str:
    if not state.edges:
        return ""
    what = f"requests took longer than {words.seconds(state.edges[index])}"
    told = contests.told(signal, leading, what, contests.against(evidence, course.threshold))
    if told and len(state.edges) > 1:
        told += f"; compared at {len(state.edges)} edges up to {words.seconds(state.edges[-1])}"
    return told + words.scatter(state.scatter.dispersion.factor) if told else ""
