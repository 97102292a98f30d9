"""Draw what came out. The only importer of matplotlib."""

from math import isfinite
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.decisions.bars import OURS
from benchmarks.decisions.outcomes import Outcomes

mpl.rcParams["svg.hashsalt"] = "serinus"
mpl.rcParams["svg.fonttype"] = "none"
_OURS, _THEIRS = "#c49a00", "#5b6b7a"


def draw(outcomes: Outcomes, folder: Path, stem: str) -> list[str]:
    """Write the plots for which there is something to show; return their file names."""
    plots = {"false-rollbacks": _false_rollbacks, "speed": _speed, "drift": _drift}
    names = []
    for which, plot in plots.items():
        figure = Figure(figsize=(8.0, 4.5), layout="constrained")
        if plot(outcomes, figure.subplots()):
            name = f"{stem}-{which}.svg"
            figure.savefig(folder / name, metadata={"Date": None})
            names.append(name)
    return names


def _false_rollbacks(outcomes: Outcomes, axes: Axes) -> bool:
    points: dict[str, list[float]] = {}
    for name, (cell, summary) in outcomes.cells.items():
        if cell.null and cell.conditions.alpha == 0.05 and cell.scenario in ("S1", "S2", "S3", "S4", "S5"):
            points.setdefault(OURS, []).append(summary.rolled_back.value)
            for peer, theirs in outcomes.peers.get(name, {}).items():
                points.setdefault(peer, []).append(theirs.rolled_back.value)
    for row, (policy, values) in enumerate(points.items()):
        axes.plot(values, [row] * len(values), "o", alpha=0.5, color=_OURS if policy == OURS else _THEIRS)
    axes.axvline(0.05, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(points)), list(points))
    axes.invert_yaxis()
    axes.set_xlabel("share of good canaries rolled back within the cell; one point per null cell of S1 to S5")
    return bool(points)


def _speed(outcomes: Outcomes, axes: Axes) -> bool:
    points: dict[str, list[tuple[float, float]]] = {}
    for name, (cell, summary) in outcomes.cells.items():
        peers = outcomes.peers.get(name, {})
        if cell.null or "Poc*" not in peers or not isfinite(peers["Poc*"].median_seconds):
            continue
        boundary = peers["Poc*"].median_seconds
        medians = {OURS: summary.median_seconds} | {each: peers[each].median_seconds for each in ("LM", "mSP", "K10")}
        for policy, median in medians.items():
            if isfinite(median):
                points.setdefault(policy, []).append((boundary, median))
    markers = {OURS: "o", "LM": "x", "mSP": "+", "K10": "^"}
    for policy, found in points.items():
        axes.plot(*zip(*found, strict=True), markers[policy], label=policy, color=_OURS if policy == OURS else _THEIRS)
    if points:
        top = max(boundary for found in points.values() for boundary, _ in found)
        line = [30.0 + (top - 30.0) * each / 100 for each in range(101)]
        axes.plot(line, line, color="black", linewidth=0.8, label="oracle boundary")
        axes.plot(
            line, [1.6 * each + 60.0 for each in line], color="black", linewidth=0.8, linestyle=":", label="bar 2"
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.legend()
    axes.set_xlabel("median seconds of the oracle boundary")
    axes.set_ylabel("median seconds to the rollback")
    return bool(points)


def _drift(outcomes: Outcomes, axes: Axes) -> bool:
    curves: dict[int, list[tuple[float, float]]] = {}
    for name, (cell, summary) in outcomes.cells.items():
        words = name.split()
        if cell.scenario == "S8" and len(words) == 6 and words[2] == "n":
            curves.setdefault(int(words[3]), []).append((float(words[5]), summary.rolled_back.value))
    for size, curve in sorted(curves.items()):
        axes.plot(*zip(*sorted(curve), strict=True), "o-", label=f"{size:,} values")
    if curves:
        axes.legend()
    axes.set_xlabel("shift of a normal score, in standard deviations (0.32 is a PSI of 0.1, the margin)")
    axes.set_ylabel("share flagged within 20 looks")
    return bool(curves)
