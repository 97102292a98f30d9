"""The cells that take the whole way: scenario S6, and one set of replicates of other scenarios."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.decisions.cells import Cell, errors_cell
from benchmarks.decisions.scrapes import Faults
from benchmarks.decisions.traffic import World
from benchmarks.decisions.whole_path import WholePath

USUAL = Faults(jitter_seconds=1.0)
FAULTS = {
    "jitter alone": USUAL,
    "20% of scrapes missed": replace(USUAL, misses=0.2),
    "processes restart every 5 min": replace(USUAL, restart_seconds=300.0),
    "pods replaced every 10 min": replace(USUAL, replace_seconds=600.0),
    "Prometheus down for 5 min": replace(USUAL, prometheus_down=(300.0, 600.0)),
    "operator down for 4 min": replace(USUAL, operator_down=(200.0, 440.0)),
    "all of it": Faults(
        jitter_seconds=1.0,
        misses=0.2,
        restart_seconds=300.0,
        replace_seconds=900.0,
        prometheus_down=(300.0, 600.0),
        operator_down=(900.0, 1140.0),
    ),
}


def faulty_cells() -> Iterator[Cell]:
    """S6: half an hour at 10 requests a second, a tenth of them to the canary."""
    for told, faults in FAULTS.items():
        for canary in (0.01, 0.05):
            same = canary == 0.01
            name = f"S6 {told}, {'same' if same else 'canary 5%'}"
            cell = errors_cell(
                name,
                "S6",
                World(canary=canary),
                margin=0.0 if same else 0.005,
                ticks=60,
                bar=0.05 if same else None,
                compare=False,
            )
            yield replace(cell, source=WholePath(of=cell.source, faults=faults))  # type: ignore[arg-type]
