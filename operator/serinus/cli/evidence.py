"""Draw the evidence of an assessment: one row per signal, what is known against its bound as a bar.

Knows the wire form of ``RolloutReport.status.assessment`` and of the plan in ``RolloutReport.spec``; no cluster and no
clock.
"""

import math
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from serinus.cli.words import say_number, say_share
from serinus.rollout.types import SignalAction, SignalKind, Verdict

BAR_WIDTH = 12
NUMBERS_WIDTH = 14
DEFAULT_FALSE_PROMOTION_RATE = 0.05
FULL, EMPTY, BEYOND = "━", "─", "▶"
VERDICT_STYLES = {
    Verdict.PASS.value: "bold green",
    Verdict.FAIL.value: "bold red",
    Verdict.INCONCLUSIVE.value: "yellow",
    Verdict.NO_DATA.value: "magenta",
}


def say_verdict(verdict: str) -> Text:
    """Return a verdict in its colour."""
    return Text(verdict.replace("_", " "), style=VERDICT_STYLES.get(verdict, ""))


def make_bar(value: float, bound: float, style: str) -> Text:
    """Draw an e-value against its bound, on a logarithmic scale from 1 (nothing known) to the bound (enough).

    Values below 1 are an empty bar. A full bar with an arrow has reached the bound.
    """
    if value >= bound:
        return Text(FULL * (BAR_WIDTH - 1) + BEYOND, style=f"bold {style}")
    filled = math.floor(BAR_WIDTH * math.log(value) / math.log(bound)) if value > 1 and bound > 1 else 0
    return Text.assemble((FULL * filled, style), (EMPTY * (BAR_WIDTH - filled), "bright_black"))


def make_evidence(assessment: Mapping[str, Any], plan: Mapping[str, Any]) -> list[Text]:
    """Return one text of two lines for each signal of an assessment: its bars, and what was counted."""
    signals: list[Mapping[str, Any]] = assessment.get("signals") or []
    width = max((len(str(each["name"])) for each in signals), default=0)
    proof = 1 / float(plan.get("falsePromotionRate") or DEFAULT_FALSE_PROMOTION_RATE)
    lines = []
    for signal in signals:
        harm = _harm_bound(signal, signals, assessment)
        bars = Text.assemble((str(signal["name"]).ljust(width), "bold"))
        bars.append_text(_against("  harm ", signal.get("evidence"), harm, "red"))
        bars.append_text(_against("  safety ", signal.get("safety"), proof, "green"))
        bars.append_text(say_verdict(str(signal.get("verdict", ""))))
        lines.append(bars.append(f"\n{' ' * width}  {say_counts(signal, plan)}", style="bright_black"))
    return lines


def say_counts(signal: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """Say what a signal measured: counts of both sides, or a Query's value and bounds."""
    if signal.get("kind") == SignalKind.QUERY:
        return _say_value(signal, plan)
    canary_total, stable_total = int(signal.get("canaryTotal") or 0), int(signal.get("stableTotal") or 0)
    what = "slow" if signal.get("kind") == SignalKind.LATENCY else "failed"
    canary = say_share(int(signal.get("canaryBad") or 0), canary_total)
    stable = say_share(int(signal.get("stableBad") or 0), stable_total)
    return f"{what}: canary {canary}, stable {stable}"


def _say_value(signal: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    named = [each for each in plan.get("signals") or [] if each.get("name") == signal.get("name")]
    written: Mapping[str, Any] = named[0] if named else {}
    bounds = [f"{word[:3]} {written[word]:g}" for word in ("minimum", "maximum") if written.get(word) is not None]
    value = signal.get("value")
    return f"value {'unknown' if value is None else say_number(float(value))} ({', '.join(bounds) or 'no bounds'})"


def _harm_bound(signal: Mapping[str, Any], signals: list[Mapping[str, Any]], assessment: Mapping[str, Any]) -> float:
    """Return the e-value at which this signal alone would turn the key: 1/alpha, divided by its weight."""
    action = signal.get("action", SignalAction.ROLLBACK.value)
    sharers = sum(1 for each in signals if each.get("action", SignalAction.ROLLBACK.value) == action)
    return float(assessment.get("threshold") or 20.0) * max(1, sharers)


def _against(word: str, value: float | None, bound: float, style: str) -> Text:
    if value is None:
        return Text(" " * (len(word) + BAR_WIDTH + 1 + NUMBERS_WIDTH))
    numbers = f"{say_number(float(value))} of {say_number(bound)}".ljust(NUMBERS_WIDTH)
    return Text.assemble(Text(word, style="bright_black"), make_bar(float(value), bound, style), " ", numbers)
