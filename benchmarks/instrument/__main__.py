"""Measure what counting costs a prediction: ``python -m benchmarks.instrument``.

Each row is a distribution over blocks of calls, in microseconds of the processor per prediction, of counting alone: the
model answers at once, and what that takes is taken off. Beside it stands prometheus-client called by hand, as users do
it: a histogram with a label per feature, each child kept. The bar is the issue's: 20 µs for one prediction with 30
features.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import prometheus_client
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Histogram

from serinus_instrument import instrument

FEATURES = 30
EDGES = tuple(np.linspace(-1.8, 1.8, 10).round(2).tolist())
BAR_MICROSECONDS = 20.0
CATEGORIES = ("de", "fr", "it", "es", "pt", "nl", "pl", "se")
_PAGE = Path(__file__).parents[2] / "docs" / "decisions" / "bench" / "2026-11-22-instrument-benchmark.md"

Call = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is predicted in one row of the table."""

    name: str
    given: Any
    rows: int
    texts: int = 0
    """How many of the features, from the right, are categories."""
    profiled: bool = True
    bar: float | None = None
    """Median that is asked for, in microseconds per prediction."""


def main() -> int:
    """Measure every load, print the table; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.instrument", description=__doc__)
    parser.add_argument("--blocks", type=int, default=100, help="blocks of calls per row")
    parser.add_argument("--write", action="store_true", help="write the page in docs/decisions/bench")
    options = parser.parse_args()
    lines = [
        "| input | ours: median | 90 % | by hand: median | 90 % | by hand is |",
        "|---|---|---|---|---|---|",
    ]
    missed = False
    for load in loads():
        ours, by_hand = _measure(load, options.blocks)
        missed = missed or (load.bar is not None and ours[0] > load.bar)
        bar = "" if load.bar is None else f" (bar {load.bar:g})"
        lines.append(
            f"| {load.name} | {ours[0]:.1f} µs{bar} | {ours[1]:.1f} µs | {by_hand[0]:.1f} µs | {by_hand[1]:.1f} µs "
            f"| {by_hand[0] / ours[0]:.1f} times as slow |"
        )
    table = "\n".join(lines)
    sys.stdout.write(table + "\n")
    if options.write:
        _PAGE.write_text(_page(table))
    return 1 if missed else 0


def loads() -> Sequence[Load]:
    """Return what is measured."""
    matrix = np.random.default_rng(1).normal(size=(100, FEATURES))
    names = [f"feature_{i}" for i in range(FEATURES)]
    named = dict(zip(names, matrix[0].tolist(), strict=True))
    return (
        Load(name="one row, list", given=matrix[:1].tolist(), rows=1, bar=BAR_MICROSECONDS),
        Load(name="one row, numpy", given=matrix[:1], rows=1, bar=BAR_MICROSECONDS),
        Load(name="one row, dict", given=named, rows=1, bar=BAR_MICROSECONDS),
        _with_texts(matrix, 10, True),
        _with_texts(matrix, FEATURES, True),
        _with_texts(matrix, 10, False),
        _with_texts(matrix, FEATURES, False),
        Load(name="one row, DataFrame", given=pd.DataFrame(matrix[:1], columns=names), rows=1),
        Load(name="100 rows, list", given=matrix.tolist(), rows=100),
        Load(name="100 rows, numpy", given=matrix, rows=100),
        Load(name="100 rows, DataFrame", given=pd.DataFrame(matrix, columns=names), rows=100),
    )


def _with_texts(matrix: NDArray[np.float64], texts: int, profiled: bool) -> Load:
    row = [*matrix[0, : FEATURES - texts].tolist(), *(CATEGORIES[i % len(CATEGORIES)] for i in range(texts))]
    name = f"one row, list, {texts} categories{'' if profiled else ', no profile'}"
    return Load(name=name, given=[row], rows=1, texts=texts, profiled=profiled, bar=BAR_MICROSECONDS)


def _counting(load: Load) -> tuple[Call, Call]:
    answer = [0.5] * load.rows
    profile = {
        "schema": 1,
        "prediction": _bins(),
        "features": {
            f"feature_{i}": _bins() if i < FEATURES - load.texts else {"categories": dict.fromkeys(CATEGORIES, 1)}
            for i in range(FEATURES)
        },
    }

    def model(_: Any) -> list[float]:
        return answer

    counted = instrument(
        model, profile=profile if load.profiled else {"schema": 1}, plausible=(0, 1), registry=CollectorRegistry()
    )
    return counted, model


def _by_hand(load: Load) -> tuple[Call, Call]:
    registry = CollectorRegistry()
    names = [f"feature_{i}" for i in range(FEATURES)]
    inputs = Histogram("my_feature", "Inputs.", ["model", "feature"], buckets=EDGES, registry=registry)
    children = [inputs.labels("model", name) for name in names[: FEATURES - load.texts]]
    texts = Counter("my_categories", "Inputs.", ["model", "feature", "category"], registry=registry)
    kept = [{each: texts.labels("model", name, each) for each in CATEGORIES} for name in names[FEATURES - load.texts :]]
    missing = Counter("my_missing", "Inputs that are absent.", ["model", "feature"], registry=registry)
    absent = [missing.labels("model", name) for name in names]
    outputs = Histogram("my_prediction", "Outputs.", ["model"], buckets=EDGES, registry=registry).labels("model")
    implausible = Counter("my_implausible", "Outputs.", ["model"], registry=registry).labels("model")
    answer = [0.5] * load.rows

    def model(_: Any) -> list[float]:
        return answer

    def counted(given: Any) -> list[float]:
        said = model(given)
        for row in _rows(given, names):
            for child, nothing, value in zip(children, absent, row, strict=False):
                if value is None or value != value:  # noqa: PLR0124
                    nothing.inc()
                else:
                    child.observe(value)
            for known, text in zip(kept, row[len(children) :], strict=True):
                known[text].inc()
        for each in said:
            outputs.observe(each)
            if not 0 <= each <= 1:
                implausible.inc()
        return said

    return counted, model


def _rows(given: Any, names: Sequence[str]) -> Any:
    if isinstance(given, Mapping):
        return [[given[name] for name in names]]
    if isinstance(given, pd.DataFrame):
        return given.to_numpy().tolist()
    return given.tolist() if isinstance(given, np.ndarray) else given


def _measure(load: Load, blocks: int) -> Sequence[NDArray[np.float64]]:
    """Return the median and the 90th percentile of both ways, in µs per prediction, beyond the model's own time.

    Blocks of both take turns, so that what else runs on the machine meets both.
    """
    calls = 200 if load.rows == 1 else 5
    ways = [_counting(load), _by_hand(load)]
    told: list[list[float]] = [[] for _ in ways]
    for _ in range(blocks):
        for (counted, model), found in zip(ways, told, strict=True):
            beyond = _block(counted, load.given, calls) - _block(model, load.given, calls)
            found.append(beyond / calls / load.rows)
    return [np.percentile(each, [50, 90]) for each in told]


def _block(call: Call, given: Any, calls: int) -> float:
    begun = time.process_time_ns()
    for _ in range(calls):
        call(given)
    return (time.process_time_ns() - begun) / 1000


def _bins() -> dict[str, Any]:
    return {"edges": list(EDGES), "counts": [1] * (len(EDGES) + 1)}


def _page(table: str) -> str:
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, prometheus-client {_client_version()}"
    return (
        "# What serinus-instrument costs\n\n"
        f"<!-- Written by `make bench-instrument ARGS=--write`. -->\n\n{FEATURES} numeric features with "
        f"{len(EDGES)} edges each, or categories of {len(CATEGORIES)}; counted are the prediction's and "
        "the features' histograms, missing values, "
        "implausible predictions and rows. Microseconds of the processor per prediction, of counting alone, over "
        f"blocks of calls. By hand means prometheus-client with a child kept per feature. {versions}.\n\n{table}\n"
    )


def _client_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return version(prometheus_client.__name__.replace("_", "-"))


if __name__ == "__main__":
    sys.exit(main())
