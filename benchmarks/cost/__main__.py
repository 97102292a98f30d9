"""Measure what a tick of the judge costs: ``python -m benchmarks.cost``; prints a table and decides nothing.

Each row is a distribution over ticks, in time of the processor, so that a busy machine hardly counts. All rows of a run
are compared with a tick of the plainest way to the same evidence that scipy has, measured in the same run, so that two
machines can be compared by the last column.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from benchmarks.decisions.histograms import LATENCY_EDGES, Latency, normal_edges, normal_shares
from benchmarks.decisions.policy import Conditions
from benchmarks.decisions.scenarios import DRIFT, LATENCY
from benchmarks.decisions.serinus import ERRORS, Judged, Measurements, errors_of, plan_of, rates
from serinus.judge.measurements import HistogramMeasurement
from serinus.judge.running import Running
from serinus.rollout.types import Signal

TICKS = 120
ODDS = (1.7, 3.0, 8.0, 40.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is judged in one row."""

    name: str
    signals: tuple[Signal, ...]
    ticks: Callable[[np.random.Generator], Iterator[Measurements]]
    number: int = TICKS
    strict: bool = False
    bar_milliseconds: float | None = None
    """Median that is asked for."""


def main() -> int:
    """Measure every load and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rollouts per row")
    rounds = parser.parse_args().rounds
    baseline = _milliseconds(_scipy_ticks(rounds))
    print(f"{'a tick of':58s} {'min':>8s} {'median':>8s} {'p90':>8s} {'max':>8s}  milliseconds; ratio to scipy's")
    _print("scipy's nchypergeom_fisher, usual counts", baseline, baseline, None)
    for load in loads():
        _print(load.name, _milliseconds(_judge_ticks(load, rounds)), baseline, load.bar_milliseconds)
    many = _thousand_rollouts()
    print(
        f"1,000 rollouts with 3 signals each, one tick, with reading and writing their state: {many:.2f} s (bar: 2 s)"
    )
    return 0


def loads() -> Iterator[Load]:
    """Return what is measured: usual counts and the extremes that the judge has to bear."""
    one = errors_of(Conditions())
    yield Load(name="errors, 300 requests, 10 %, 1 % bad", signals=one, ticks=_errors(300), bar_milliseconds=1.0)
    yield Load(name="errors, 12,000 requests", signals=one, ticks=_errors(12_000), bar_milliseconds=1.0)
    yield Load(
        name="errors, 12,000 requests, strict", signals=one, ticks=_errors(12_000), strict=True, bar_milliseconds=1.0
    )
    slo = (replace(one[0], slo=0.05),)
    yield Load(name="errors, 12,000 requests, with slo", signals=slo, ticks=_errors(12_000), bar_milliseconds=1.0)
    yield Load(name="errors, a million requests, 1 % bad", signals=one, ticks=_errors(10**6), bar_milliseconds=5.0)
    yield Load(
        name="errors, a million requests, half of them bad",
        signals=one,
        ticks=_errors(10**6, bad=0.5),
        bar_milliseconds=5.0,
    )
    yield Load(name="errors, 500 pods", signals=one, ticks=_errors(12_000, pods=500))
    bound = (replace(LATENCY, bound_seconds=0.25),)
    yield Load(name="latency above a bound", signals=bound, ticks=_slow(0.25), bar_milliseconds=1.0)
    whole = _histogram(LATENCY, 12_000)
    yield Load(name="latency, whole histogram, 18 buckets", signals=(LATENCY,), ticks=whole, bar_milliseconds=1.0)
    yield Load(name="drift, 10 buckets", signals=(DRIFT,), ticks=_scores(10), bar_milliseconds=1.0)
    yield Load(name="drift, 200 buckets", signals=(DRIFT,), ticks=_scores(200))
    yield Load(
        name="drift, 10 buckets, a million values", signals=(DRIFT,), ticks=_scores(10, 10**6), bar_milliseconds=5.0
    )
    many = tuple(replace(one[0], name=f"errors-{each}") for each in range(20))
    yield Load(name="20 signals of errors together", signals=many, ticks=_many(many))


def _errors(
    requests: int, *, bad: float = 0.01, pods: int = 6
) -> Callable[[np.random.Generator], Iterator[Measurements]]:
    def ticks(rng: np.random.Generator) -> Iterator[Measurements]:
        while True:
            ours = max(1, pods // 10)
            total = np.concatenate(
                [rng.poisson(requests / 10 / ours, ours), rng.poisson(requests * 0.9 / (pods - ours), pods - ours)]
            )
            counts = np.stack([total, rng.binomial(total, bad)], axis=1).tolist()
            yield {ERRORS: rates(counts[:ours], counts[ours:])}

    return ticks


def _many(signals: tuple[Signal, ...]) -> Callable[[np.random.Generator], Iterator[Measurements]]:
    def ticks(rng: np.random.Generator) -> Iterator[Measurements]:
        sources = [_errors(300)(rng) for _ in signals]
        while True:
            yield {signal.name: next(source)[ERRORS] for signal, source in zip(signals, sources, strict=True)}

    return ticks


def _slow(bound: float) -> Callable[[np.random.Generator], Iterator[Measurements]]:
    source = _errors(12_000, bad=Latency().share_above(bound))

    def ticks(rng: np.random.Generator) -> Iterator[Measurements]:
        for each in source(rng):
            yield {LATENCY.name: each[ERRORS]}

    return ticks


def _scores(buckets: int, values: int = 12_000) -> Callable[[np.random.Generator], Iterator[Measurements]]:
    edges = normal_edges(buckets)
    return _rows(DRIFT.name, edges, tuple(normal_shares(edges)), values)


def _histogram(signal: Signal, values: int) -> Callable[[np.random.Generator], Iterator[Measurements]]:
    return _rows(signal.name, LATENCY_EDGES, tuple(Latency().shares()), values)


def _rows(
    name: str, edges: tuple[float, ...], shares: tuple[float, ...], values: int
) -> Callable[[np.random.Generator], Iterator[Measurements]]:
    law = np.array(shares)

    def ticks(rng: np.random.Generator) -> Iterator[Measurements]:
        while True:
            canary = {"c0": tuple(rng.poisson(values / 10 * law).tolist())}
            stable = {f"s{pod}": tuple(rng.poisson(values * 0.9 / 5 * law).tolist()) for pod in range(5)}
            yield {name: HistogramMeasurement(canary=canary, stable=stable, edges=edges)}

    return ticks


def _judge_ticks(load: Load, rounds: int) -> Iterator[float]:
    """Yield the seconds of each tick."""
    for seed in range(rounds):
        source = load.ticks(np.random.default_rng(seed))
        judged = Judged(plan_of(Conditions(steps=(5, 10, 25, 50)), load.signals, strict=load.strict))
        for number in range(1, load.number + 1):
            measurements = next(source)
            begin = time.thread_time()
            judged.on(number, measurements)
            yield time.thread_time() - begin


def _scipy_ticks(rounds: int) -> Iterator[float]:
    """Yield the seconds of the likelihood ratios of one tick as scipy gives them, without any of the rest."""
    source = _errors(300)(np.random.default_rng(0))
    for _ in range(rounds * TICKS):
        counts = next(source)[ERRORS].counts  # type: ignore[union-attr]
        total = counts.canary_total + counts.stable_total
        bad = counts.canary_bad + counts.stable_bad
        begin = time.thread_time()
        for odds in (1.0, *ODDS):
            law = stats.nchypergeom_fisher  # type: ignore[attr-defined]
            law.pmf(counts.canary_bad, total, bad, counts.canary_total, odds)
        yield time.thread_time() - begin


def _thousand_rollouts() -> float:
    """Return the seconds that one tick of 1,000 rollouts in mid-flight takes, state read and written as JSON values."""
    signals = tuple(replace(errors_of(Conditions())[0], name=f"errors-{each}") for each in range(3))
    source = _many(signals)(np.random.default_rng(1))
    judged = Judged(plan_of(Conditions(steps=(5, 10, 25, 50)), signals))
    for number in range(1, 11):
        judged.on(number, next(source))
    written = judged.running.to_wire()
    measured = [next(source) for _ in range(1_000)]
    begin = time.thread_time()
    for each in measured:
        judged.running = Running.from_wire(written)
        judged.on(11, each)
        judged.running.to_wire()
    return time.thread_time() - begin


def _milliseconds(seconds: Iterator[float]) -> Mapping[str, float]:
    gc.collect()
    times = np.array(list(seconds)) * 1000.0
    return {
        "min": float(times.min()),
        "median": float(np.median(times)),
        "p90": float(np.quantile(times, 0.9)),
        "max": float(times.max()),
    }


def _print(name: str, times: Mapping[str, float], baseline: Mapping[str, float], bar: float | None) -> None:
    columns = " ".join(f"{times[each]:8.3f}" for each in ("min", "median", "p90", "max"))
    held = "" if bar is None else f"  bar {bar:g} ms: {'held' if times['median'] <= bar else 'MISSED'}"
    print(f"{name:58s} {columns}  {times['median'] / baseline['median']:6.2f}{held}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
