"""Tell the story of rollout attempts from their reports: every decision, when, and why in words.

A pure function of wire objects and the time. Knows no cluster.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from serinus.cli.artifact import say_model
from serinus.cli.evidence import make_evidence, say_verdict
from serinus.cli.metrics import say_metrics
from serinus.cli.words import say_age

Wire = Mapping[str, Any]
OUTCOME_STYLES = {"Promoted": "bold green", "Rejected": "bold red", "Aborted": "bold yellow"}


def make_story(
    reports: Sequence[Wire], now: datetime, *, latest_only: bool = True, status: Wire | None = None
) -> RenderableType:
    """Return the story of the newest attempt, or of all, newest first.

    Args:
        reports: RolloutReports of one ModelDeployment, in any order.
        now: Aware time that ages are counted to.
        latest_only: Tell of the newest alone.
        status: Of the ModelDeployment: says by what its metrics are read.
    """
    newest_first = sorted(reports, key=_started, reverse=True)
    if not newest_first:
        return Text("No rollout has been attempted yet: the first revision serves as soon as it is ready.")
    told = newest_first[:1] if latest_only else newest_first
    parts: list[RenderableType] = []
    for report in told:
        parts += [*_tell(report, now), Text()]
    if latest_only and len(newest_first) > 1:
        parts.append(Text(f"{len(newest_first) - 1} earlier attempts: add --all", style="bright_black"))
    return Group(*say_metrics(status or {}), *parts)


def _started(report: Wire) -> tuple[str, str]:
    return str(report["spec"].get("startedAt") or report["metadata"].get("creationTimestamp") or ""), report[
        "metadata"
    ]["name"]


def _tell(report: Wire, now: datetime) -> list[RenderableType]:
    spec, status = report["spec"], report.get("status") or {}
    outcome = status.get("outcome") or {}
    word = str(outcome.get("result") or "under way")
    title = Text.assemble(
        (str(spec.get("revision")), "bold"),
        f" attempt {spec.get('attempt', 1)} against {spec.get('stableRevision') or 'nothing'}: ",
        (word, OUTCOME_STYLES.get(word, "bold cyan")),
        (f"  started {say_age(spec.get('startedAt'), now)} ago", "bright_black"),
    )
    parts: list[RenderableType] = [title]
    if said := say_model(spec.get("model") or {}, now, whole=True):
        parts.append(Text(said, style="bright_black"))
    if outcome.get("message"):
        parts.append(Text.assemble((f"{outcome.get('reason')}: ", "bold"), str(outcome["message"])))
    parts.append(_make_decisions(status.get("decisions") or []))
    if status.get("assessment"):
        parts.append(Text("evidence at the end", style="bold"))
        parts += make_evidence(status["assessment"], spec)
    return parts


def _make_decisions(decisions: Sequence[Wire]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    for column in ("when", "step", "verdict", "what", "why"):
        table.add_column(column, overflow="fold")
    for each in decisions:
        table.add_row(
            str(each.get("at", ""))[:19].replace("T", " "),
            str(int(each.get("step") or 0) + 1),
            say_verdict(str(each.get("verdict") or "")),
            f"{each.get('action', '')}",
            Text.assemble((str(each.get("reason") or ""), "bold"), f" {each.get('message') or ''}"),
        )
    return table
