"""The grids give counts straight to the judge. Here: the whole way through scrapes and queries gives the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from benchmarks.decisions.cells import Cell, errors_cell
from benchmarks.decisions.replicate import play
from benchmarks.decisions.scenarios import latency_cells
from benchmarks.decisions.scrapes import Faults
from benchmarks.decisions.traffic import World
from benchmarks.decisions.whole_path import WholePath, play_whole

from serinus.controller.measure import Measured
from serinus.judge.measurements import HistogramMeasurement, Measurement, RateMeasurement

TICKS = 12
FAULTLESS = Faults(scrape_seconds=30.0, aligned=True)


def short(cell: Cell, faults: Faults) -> Cell:
    conditions = replace(cell.conditions, ticks=TICKS)
    return replace(cell, conditions=conditions, source=WholePath(of=cell.source, faults=faults))


def measured_by(cell: Cell, *, delay: float) -> list[Measurement]:
    seen: list[Measurement] = []

    def watch(_: int, measured: Measured) -> None:
        seen.append(measured.tick.measurements[cell.signals[0].name])

    play_whole(cell, 0, watch, timedelta(seconds=delay))
    return seen


def rows(measurement: Measurement) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    assert isinstance(measurement, RateMeasurement | HistogramMeasurement)
    return sorted(measurement.canary.values()), sorted(measurement.stable.values())


ERRORS = errors_cell("both paths", "test", World(base=0.02, canary=0.02), margin=0.01)
LATENCY = next(each for each in latency_cells() if each.name == "S7 latency none 10/s alpha 0.05")


@pytest.mark.parametrize("cell", [ERRORS, LATENCY], ids=["errors", "latency"])
def test_without_faults_both_ways_measure_the_same(cell: Cell) -> None:
    whole = short(cell, FAULTLESS)
    direct = [each[cell.signals[0].name] for each in whole.source.play(whole.rng(0), whole).ticks]
    assert [rows(each) for each in measured_by(whole, delay=0.0)] == [rows(each) for each in direct[:TICKS]]


def test_without_faults_both_ways_decide_the_same() -> None:
    cell = errors_cell("both paths, bad", "test", World(canary=0.1), ticks=TICKS)
    whole = short(cell, FAULTLESS)
    ours = play_whole(whole, 0, delay=timedelta(0))
    assert ours.rollback == play(replace(whole, source=cell.source), 0).rollback > 0


def test_missed_scrapes_lose_and_double_nothing() -> None:
    cell = short(ERRORS, Faults(misses=0.3, jitter_seconds=1.0))
    counted = [each for each in measured_by(cell, delay=10.0) if isinstance(each, RateMeasurement)]
    fleet = cell.source.fleet(cell, 0)
    for side, deployment in (("canary", "fraud-bcdfghjklm"), ("stable", "fraud-zzxxwwvvtt")):
        pods = [each for each in fleet.pods if each.name.startswith(deployment)]
        until = TICKS * 30.0
        happened = sum(int(each.counts(max(each.created, -10.0 - 30.0), until).sum()) for each in pods)
        late = sum(int(each.counts(until - 100.0, until).sum()) for each in pods)
        seen = sum(total for each in counted for total, _ in getattr(each, side).values())
        assert happened - late <= seen <= happened
