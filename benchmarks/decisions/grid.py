"""The cells of error counts: scenarios S1 to S5 and the parts of S12 that count errors.

The practical margin of S1 is half of the base share (0.5 points at 1 %, the default), so that a doubled share lies well
beyond it; its null cells have no margin at all, which leaves the evidence key alone to prevent false rollbacks.
"""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.decisions.cells import Cell, errors_cell
from benchmarks.decisions.traffic import Routing, World

RATES = (1, 10, 100)
WEIGHTS = (5, 50)
ALPHAS = (0.05, 0.01)
MULTIPLES = {0.001: (2, 5, 20, 200), 0.01: (1.5, 2, 5, 20), 0.1: (1.5, 2, 5)}
"""Base share: multiples of it that a bad canary has."""

RAMP = tuple(weight for weight in (5, 10, 25, 50) for _ in range(30))
"""A rollout whose steps last 15 minutes each, whatever is seen."""


def percent(share: float) -> str:
    """Write a share as percent, without zeros at its end."""
    return f"{share * 100:g}%"


def grid_name(rate: float, weight: int, base: float, canary: float) -> str:
    """Name a cell of the grid."""
    return f"S1 {rate:g}/s w{weight} base {percent(base)} canary {percent(canary)}"


def grid_cells() -> Iterator[Cell]:
    """S1: constant weight for an hour, errors independent, the canary good or bad from the start."""
    for rate in RATES:
        for weight in WEIGHTS:
            for base in MULTIPLES:
                yield from _point(rate, weight, base)
    for canary in (0.07, 0.08):
        world = World(requests_per_second=400, base=0.07, canary=canary)
        null = canary == 0.07
        yield errors_cell(
            grid_name(400, 50, 0.07, canary), "S1", world, weight=50, margin=0.0, bar=0.05 if null else None
        )


def _point(rate: float, weight: int, base: float) -> Iterator[Cell]:
    null = World(requests_per_second=rate, base=base, canary=base)
    for alpha in ALPHAS:
        name = f"{grid_name(rate, weight, base, base)} alpha {alpha:g}"
        yield errors_cell(name, "S1", null, weight=weight, alpha=alpha, margin=0.0, bar=alpha, compare=alpha == 0.05)
    for multiple in MULTIPLES[base]:
        canary = base * multiple
        yield errors_cell(
            grid_name(rate, weight, base, canary),
            "S1",
            replace(null, canary=canary),
            weight=weight,
            margin=base / 2 if multiple >= 2 else 0.0,
            most_seconds=_catastrophe(rate * weight / 100, canary) if multiple >= 5 else None,
        )


def _catastrophe(canary_per_second: float, share: float) -> float | None:
    """Bar 2: twenty percent of errors or more where there was a fifth of that or less."""
    if share < 0.2:
        return None
    return 90.0 if canary_per_second >= 0.5 else 360.0 if canary_per_second >= 0.05 else None


def late_cells() -> Iterator[Cell]:
    """S2: the canary turns bad after some minutes."""
    for minutes in (10, 30):
        onset = minutes * 2
        world = World(canary=0.05, onset_tick=onset)
        name = f"S2 bad after {minutes} min, 10/s w10 canary 5%"
        yield errors_cell(name, "S2", world, ticks=onset + 120, most_seconds=240.0)
    for alpha in ALPHAS:
        yield errors_cell(f"S2 two hours, never bad alpha {alpha:g}", "S2", World(), ticks=240, alpha=alpha, bar=alpha)


def shared_cells() -> Iterator[Cell]:
    """S3: what befalls both sides alike."""
    weathers = {
        "outages": World(outages=0.03),
        "diurnal": World(swing=0.8),
        "errors rise in the ramp-up": World(base=0.005, canary=0.005, trend=8.0),
        "errors fall in the ramp-up": World(base=0.04, canary=0.04, trend=1 / 8),
    }
    for told, world in weathers.items():
        weights = RAMP if "ramp" in told else ()
        for rate in (10, 100):
            null = replace(world, requests_per_second=rate)
            for alpha in ALPHAS:
                name = f"S3 {told} {rate}/s alpha {alpha:g}"
                yield errors_cell(name, "S3", null, weights=weights, alpha=alpha, margin=0.0, bar=alpha)
            bad = replace(null, canary=world.base + 0.04)
            yield errors_cell(f"S3 {told} {rate}/s canary +4 points", "S3", bad, weights=weights)


def clustered_cells() -> Iterator[Cell]:
    """S4: errors that come together. The dispersion of stable's pods has to temper the evidence."""
    worlds = {
        "bursts of 3": World(bursts=3.0),
        "bursts of 10": World(bursts=10.0),
        "bursts of 10, 2 stable pods": World(bursts=10.0, stable_pods=2, canary_pods=1),
        "bursts of 3, 1 stable pod": World(bursts=3.0, stable_pods=1, canary_pods=1),
        "sticky sessions": World(routing=Routing.SESSIONS),
        "sticky connections": World(routing=Routing.CONNECTIONS),
    }
    yield from _tempered("S4", worlds)


def pods_cells() -> Iterator[Cell]:
    """S5: pods that are not alike."""
    worlds = {
        "pods fail alone": World(pods_fail=0.01),
        "pods differ, 1 of 6": World(pods_differ=0.5, canary_pods=1, stable_pods=5),
        "pods differ, 1 of 4": World(pods_differ=0.5, canary_pods=1, stable_pods=3),
        "pods differ, 2 of 10": World(pods_differ=0.5, canary_pods=2, stable_pods=8),
        "pods differ, 1 of 2": World(pods_differ=0.5, canary_pods=1, stable_pods=1),
    }
    yield from _tempered("S5", worlds)


def _tempered(scenario: str, worlds: dict[str, World]) -> Iterator[Cell]:
    for told, world in worlds.items():
        for rate in (10, 100):
            null = replace(world, requests_per_second=rate)
            for alpha in ALPHAS:
                name = f"{scenario} {told} {rate}/s alpha {alpha:g}"
                yield errors_cell(name, scenario, null, alpha=alpha, bar=_bar(told, alpha), compare=alpha == 0.05)
            yield errors_cell(f"{scenario} {told} {rate}/s canary 5%", scenario, replace(null, canary=0.05))


def _bar(told: str, alpha: float) -> float | None:
    """Bar 1 for S4 and S5; with a single stable pod the differences of pods cannot be known, so it is only printed."""
    return None if told == "pods differ, 1 of 2" else 1.5 * alpha


def count_cells() -> tuple[Cell, ...]:
    """Return all cells of error counts at weights that no policy chooses."""
    return (*grid_cells(), *late_cells(), *shared_cells(), *clustered_cells(), *pods_cells())
