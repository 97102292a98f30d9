"""The cells of latency, drift, labels, many signals, gauges and silence: scenarios S7 to S12."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.decisions.cells import Cell, Errors, Values
from benchmarks.decisions.histograms import LATENCY_EDGES, Latency, ValueWorld, normal_edges, normal_shares
from benchmarks.decisions.policy import Conditions
from benchmarks.decisions.serinus import errors_of
from benchmarks.decisions.sources import Gauges, Labels, Many, Silence
from benchmarks.decisions.traffic import HISTORY_TICKS, World
from serinus.rollout.types import Signal, SignalAction, SignalKind

ROLLBACK = SignalAction.ROLLBACK
LATENCY = Signal(name="slow", kind=SignalKind.LATENCY, action=ROLLBACK, margin=0.02, unacceptable=0.04)
BOUND = 0.25
DRIFT = Signal(name="score", kind=SignalKind.PREDICTION_DRIFT, action=ROLLBACK, margin=0.1)
LABELS = Signal(name="labels", kind=SignalKind.ACCURACY, action=ROLLBACK, margin=0.01, unacceptable=0.02)
COMPARISON = Signal(
    name="gauge", kind=SignalKind.COMPARISON, action=ROLLBACK, margin=0.1, query="avg(gauge{$selector})"
)
QUERY = Signal(name="gauge", kind=SignalKind.QUERY, action=ROLLBACK, maximum=116.45, query="max(gauge{$selector})")
"""The bound is passed by 5 % of the values of a gauge of mean 100 and deviation 10."""

LOOKS = 20
STABLE_VALUES = 10_000


def latency_cells() -> Iterator[Cell]:
    """S7: the whole histogram, and the share above a bound, against stable."""
    stable = Latency()
    for rate in (1, 10, 100):
        for alpha in (0.05, 0.01):
            yield _latency(f"none {rate}/s alpha {alpha:g}", rate, stable, alpha=alpha, bar=alpha)
    yield _latency("25% faster 10/s", 10, replace(stable, median_seconds=0.075), null=True, bar=0.05)
    changes = {
        "+10%": replace(stable, median_seconds=0.11),
        "+25%": replace(stable, median_seconds=0.125),
        "+50%": replace(stable, median_seconds=0.15),
        "1% take 2 s": replace(stable, tail=0.01),
        "5% take 2 s": replace(stable, tail=0.05),
    }
    for told, canary in changes.items():
        for rate in (10, 100):
            fast = 180.0 if (told, rate) == ("+25%", 10) else None
            margin = 0.005 if canary.tail == 0.01 else LATENCY.margin  # the default would take it for a trifle
            yield _latency(f"{told} {rate}/s", rate, canary, margin=margin, most_seconds=fast)
    for told, canary in {"none": stable, **changes}.items():
        null = canary == stable
        yield _latency(f"{told} 10/s above 250 ms", 10, canary, bound=BOUND, bar=0.05 if null else None)


def _latency(
    told: str,
    rate: float,
    canary: Latency,
    *,
    alpha: float = 0.05,
    margin: float = LATENCY.margin,
    null: bool = False,
    bound: float | None = None,
    bar: float | None = None,
    most_seconds: float | None = None,
) -> Cell:
    conditions = Conditions(alpha=alpha, margin=margin, unacceptable=2.0 * margin, edges=LATENCY_EDGES)
    per_tick = rate * conditions.interval_seconds
    world = ValueWorld(
        canary=tuple(canary.shares()),
        stable=tuple(Latency().shares()),
        canary_per_tick=0.1 * per_tick,
        stable_per_tick=0.9 * per_tick,
    )
    return Cell(
        name=f"S7 latency {told}",
        scenario="S7",
        source=Values(world=world, signal=LATENCY.name, edges=LATENCY_EDGES, bound=bound),
        conditions=conditions,
        signals=(replace(LATENCY, bound_seconds=bound, margin=margin, unacceptable=2.0 * margin),),
        null=null or world.is_null,
        bar=bar,
        most_seconds=most_seconds,
        compare=True,
    )


def drift_cells() -> Iterator[Cell]:
    """S8: scores in ten buckets or in categories, 20 looks, canary against stable."""
    for n in (50, 200, 1_000, 5_000, 50_000):
        for shift in (0.0, 0.05, 0.2, 0.3, 0.5, 1.0):
            yield _shifted(n, shift)
    yield _shifted(5_000, 0.0, alpha=0.01)
    yield _shifted(1_000, 0.5, buckets=50)
    yield _shifted(1_000, 0.0, buckets=50)
    for size in (1_000, 10_000):
        yield _world_changed(size)
    yield from _categorical()
    yield _overflow()


def _shifted(n: int, shift: float, *, alpha: float = 0.05, buckets: int = 10) -> Cell:
    edges = normal_edges(buckets)
    world = _drifting(n, normal_shares(edges, shift), normal_shares(edges))
    least = {200: 0.85, 1_000: 0.99, 5_000: 0.99, 50_000: 0.99}.get(n) if (shift, buckets) == (0.5, 10) else None
    extra = f" alpha {alpha:g}" if alpha != 0.05 else f" {buckets} buckets" if buckets != 10 else ""
    return _drift(
        f"n {n} shift {shift:g}{extra}",
        Values(world=world, signal=DRIFT.name, edges=edges),
        world,
        alpha=alpha,
        null=shift <= 0.05,
        bar=0.01 if shift <= 0.05 else None,
        least=least,
    )


def _world_changed(size: int) -> Cell:
    edges = normal_edges(10)
    moved = normal_shares(edges, 0.5)
    world = _drifting(5_000, moved, moved)
    shares = tuple(normal_shares(edges))
    source = Values(world=world, signal=DRIFT.name, edges=edges, reference_size=size, reference_shares=shares)
    return _drift(f"both moved from a reference of {size}", source, world, null=True, bar=0.05)


def _categorical() -> Iterator[Cell]:
    names = tuple("abcdefgh")
    usual = np.array([0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.0])
    less = np.array([0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.13, 0.0])
    newborn = usual * 0.9 + np.array([0.0] * 7 + [0.1])
    for told, canary in {"same": usual, "one class tripled": less, "a new class": newborn}.items():
        world = _drifting(2_000, canary, usual)
        source = Values(world=world, signal=DRIFT.name, categories=names, unseen_before=1)
        null = told == "same"
        yield _drift(f"categories, {told}", source, world, null=null, bar=0.05 if null else None)


def _overflow() -> Cell:
    edges = normal_edges(10, overflow=0.25)
    world = _drifting(5_000, normal_shares(edges, 0.5), normal_shares(edges))
    source = Values(world=world, signal=DRIFT.name, edges=edges)
    return _drift("a quarter beyond the last edge is refused", source, world, null=True, bar=0.0)


def _drifting(n: int, canary: np.ndarray, stable: np.ndarray) -> ValueWorld:
    return ValueWorld(
        canary=tuple(canary),
        stable=tuple(stable),
        canary_per_tick=n / LOOKS,
        stable_per_tick=STABLE_VALUES / (LOOKS + HISTORY_TICKS),
    )


def _drift(
    told: str,
    source: Values,
    world: ValueWorld,
    *,
    alpha: float = 0.05,
    null: bool = False,
    bar: float | None = None,
    least: float | None = None,
) -> Cell:
    return Cell(
        name=f"S8 drift {told}",
        scenario="S8",
        source=source,
        conditions=Conditions(ticks=LOOKS, alpha=alpha, margin=DRIFT.margin, edges=source.edges),
        signals=(DRIFT,),
        null=null or world.is_null,
        bar=bar,
        least_share=least,
        compare=True,
    )


def label_cells() -> Iterator[Cell]:
    """S9: labels that come late. The last one is a known failure: no count can tell it from a worse model."""
    named = {
        "same": (Labels(signal=LABELS.name), 0.05),
        "canary 15% wrong": (Labels(signal=LABELS.name, canary_wrong=0.15), None),
        "same, wrong ones labelled early (known to fail)": (Labels(signal=LABELS.name, early_if_wrong=True), None),
    }
    for told, (source, bar) in named.items():
        yield Cell(
            name=f"S9 labels {told}",
            scenario="S9",
            source=source,
            conditions=Conditions(ticks=240, margin=LABELS.margin, unacceptable=LABELS.unacceptable),
            signals=(LABELS,),
            null=source.canary_wrong <= source.wrong,
            bar=bar,
        )


def many_cells() -> Iterator[Cell]:
    """S10: many signals, of which at most one is bad."""
    for size, canary, alpha in (
        (20, 0.01, 0.05),
        (20, 0.01, 0.01),
        (20, 0.05, 0.05),
        (10, 0.05, 0.05),
        (5, 0.05, 0.05),
    ):
        good, bad = World(), World(canary=canary)
        conditions = Conditions(alpha=alpha, margin=0.0 if bad.is_null else 0.005)
        signal = errors_of(conditions)[0]
        yield Cell(
            name=f"S10 {size} signals, {'all good' if bad.is_null else 'one 5%'} alpha {alpha:g}",
            scenario="S10",
            source=Many(worlds=(bad, *[good] * (size - 1))),
            conditions=conditions,
            signals=tuple(replace(signal, name=f"errors-{index}") for index in range(size)),
            null=bad.is_null,
            bar=alpha if bad.is_null else None,
        )


def gauge_cells() -> Iterator[Cell]:
    """S11: gauges that wander. As Rollback signals, so that each verdict shows; by default they only hold."""
    for autocorrelation in (0.0, 0.5, 0.8):
        for mean in (100.0, 150.0):
            source = Gauges(signal=COMPARISON.name, autocorrelation=autocorrelation, canary_mean=mean)
            yield _gauge(f"compared, autocorrelation {autocorrelation:g}, canary {mean:g}", source, COMPARISON)
        for mean in (100.0, 133.0):
            source = Gauges(signal=QUERY.name, autocorrelation=autocorrelation, canary_mean=mean, compared=False)
            yield _gauge(f"bounded, autocorrelation {autocorrelation:g}, canary {mean:g}", source, QUERY)


def _gauge(told: str, source: Gauges, signal: Signal) -> Cell:
    null = source.canary_mean == 100.0
    return Cell(
        name=f"S11 gauge {told}",
        scenario="S11",
        source=source,
        conditions=Conditions(margin=signal.margin),
        signals=(signal,),
        null=null,
    )


def silent_cells() -> Iterator[Cell]:
    """S12: missing data is no evidence, and a share of traffic that is not what was set is none either."""
    sources = {
        "no requests": Silence(),
        "only stable has requests, and all fail": Silence(stable=300),
        "only the canary has requests, and all fail": Silence(canary=30),
        "no Prometheus": Silence(down=True),
    }
    conditions = Conditions()
    for told, source in sources.items():
        yield Cell(
            name=f"S12 {told}",
            scenario="S12",
            source=source,
            conditions=conditions,
            signals=errors_of(conditions),
            null=True,
            bar=0.0,
        )
    conditions = Conditions(steps=(10, 30), margin=0.0)
    yield Cell(
        name="S12 the canary gets 30% where 10% was set",
        scenario="S12",
        source=Errors(world=World()),
        conditions=conditions,
        signals=errors_of(conditions),
        null=True,
        bar=0.05,
        weights=(30,) * conditions.ticks,
    )


def other_cells() -> tuple[Cell, ...]:
    """Return all cells of S7 to S12."""
    return (
        *latency_cells(),
        *drift_cells(),
        *label_cells(),
        *many_cells(),
        *gauge_cells(),
        *silent_cells(),
    )
