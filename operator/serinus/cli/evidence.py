"""Draw the evidence of an assessment: one row per signal, what is known against its bound as a bar.

Knows the wire form of ``RolloutReport.status.assessment`` and of the plan in ``RolloutReport.spec``; no cluster and no
clock.
"""

import math
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from serinus.cli.words import say_number, say_share
from serinus.rollout.assessment import Verdict
from serinus.rollout.types import SignalAction, SignalKind

BAR_WIDTH = 12
NUMBERS_WIDTH = 14
DEFAULT_FALSE_PROMOTION_RATE = 0.05
FULL, EMPTY, BEYOND = "━", "─", "▶"
BAD = {
    SignalKind.LATENCY.value: "slow",
    SignalKind.CLIENT_ERRORS.value: "refused",
    SignalKind.IMPLAUSIBLE.value: "implausible",
    SignalKind.ACCURACY.value: "wrong",
}
DISTANCES = frozenset({SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT, SignalKind.COMPARISON})
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
    """Return a text for each signal of an assessment (its bars, what was counted, what else is known), and the traffic.

    The share of traffic has a text of its own where it is not what the pods should give.
    """
    signals: list[Mapping[str, Any]] = assessment.get("signals") or []
    width = max((len(str(each["name"])) for each in signals), default=0)
    proof = 1 / float(plan.get("falsePromotionRate") or DEFAULT_FALSE_PROMOTION_RATE)
    lines = []
    for signal in signals:
        harm = _harm_bound(signal, signals, assessment, plan)
        bars = Text.assemble((str(signal["name"]).ljust(width), "bold"))
        bars.append_text(_against("  harm ", signal.get("evidence"), harm, "red"))
        bars.append_text(_against("  safety ", signal.get("safety"), proof, "green"))
        bars.append_text(say_verdict(str(signal.get("verdict", ""))))
        for told in (say_counts(signal, plan), *say_more(signal)):
            bars.append(f"\n{' ' * width}  {told}", style="bright_black")
        lines.append(bars)
    traffic = assessment.get("traffic") or {}
    if traffic.get("off"):
        lines.append(Text(_say_traffic(traffic), style="yellow"))
    return lines


def say_counts(signal: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """Say what a signal measured: counts of both sides, a distance, or a Query's value and bounds."""
    kind = signal.get("kind")
    if kind == SignalKind.QUERY:
        return _say_value(signal, plan)
    if kind in DISTANCES:
        return _say_distance(signal, plan)
    canary_total, stable_total = int(signal.get("canaryTotal") or 0), int(signal.get("stableTotal") or 0)
    canary = say_share(int(signal.get("canaryBad") or 0), canary_total)
    stable = say_share(int(signal.get("stableBad") or 0), stable_total)
    return f"{BAD.get(str(kind), 'failed')}: canary {canary}, stable {stable}"


def say_more(signal: Mapping[str, Any]) -> list[str]:
    """Say what else is known: scatter, what the proof still needs, how far both are from the training reference."""
    told = []
    dispersion, more = signal.get("dispersion"), signal.get("moreRequests")
    if dispersion is not None and dispersion > 1:
        told.append(f"stable scatters {say_number(float(dispersion))} times as much as chance: evidence counts less")
    if more is not None and more > 0:
        told.append(f"the proof needs about {float(more):,.0f} more canary requests, if it is no worse")
    distances = [(side, signal.get(f"{side}FromReference")) for side in ("canary", "stable")]
    known = [f"{side} {_signed(float(distance))}" for side, distance in distances if distance is not None]
    if known:
        told.append(f"from the training reference (PSI): {', '.join(known)}")
    return told


def _say_distance(signal: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    effect, error = signal.get("effect"), signal.get("effectStandardError")
    drift = signal.get("kind") != SignalKind.COMPARISON
    word, size, unit = ("PSI of canary and stable", 1.0, "") if drift else ("canary against stable", 100.0, " %")
    if effect is None:
        return f"{word} unknown"
    around = "" if error is None else f" ± {say_number(size * float(error))}"
    margin = _planned(signal, plan).get("margin")
    accepted = "" if margin is None else f" (margin {say_number(size * float(margin))}{unit})"
    return f"{word} {_signed(size * float(effect))}{around}{unit}{accepted}"


def _say_value(signal: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    written = _planned(signal, plan)
    bounds = [f"{word[:3]} {written[word]:g}" for word in ("minimum", "maximum") if written.get(word) is not None]
    value = signal.get("value")
    return f"value {'unknown' if value is None else say_number(float(value))} ({', '.join(bounds) or 'no bounds'})"


def _say_traffic(traffic: Mapping[str, Any]) -> str:
    observed, expected = 100 * float(traffic.get("observed") or 0), 100 * float(traffic.get("expected") or 0)
    return f"traffic: the canary got {observed:.1f} % of this step's requests, its pods should give {expected:.1f} %"


def _signed(value: float) -> str:
    text = say_number(abs(value))
    return f"-{text}" if value < 0 and text != "0" else text


def _planned(signal: Mapping[str, Any], plan: Mapping[str, Any]) -> Mapping[str, Any]:
    named = [each for each in plan.get("signals") or [] if each.get("name") == signal.get("name")]
    return named[0] if named else {}


def _harm_bound(
    signal: Mapping[str, Any],
    signals: list[Mapping[str, Any]],
    assessment: Mapping[str, Any],
    plan: Mapping[str, Any],
) -> float:
    """Return the e-value at which this signal alone would turn the key: 1/alpha over its share of the weights."""
    action = signal.get("action", SignalAction.ROLLBACK.value)
    sure = float(assessment.get("threshold") or 20.0)
    if action == SignalAction.OBSERVE:
        return sure
    sharers = [each for each in signals if each.get("action", SignalAction.ROLLBACK.value) == action]
    weights = sum(_weight(each, plan) for each in sharers)
    return sure * max(weights, 1) / _weight(signal, plan)


def _weight(signal: Mapping[str, Any], plan: Mapping[str, Any]) -> int:
    return int(_planned(signal, plan).get("weight") or 1)


def _against(word: str, value: float | None, bound: float, style: str) -> Text:
    if value is None:
        return Text(" " * (len(word) + BAR_WIDTH + 1 + NUMBERS_WIDTH))
    numbers = f"{say_number(float(value))} of {say_number(bound)}".ljust(NUMBERS_WIDTH)
    return Text.assemble(Text(word, style="bright_black"), make_bar(float(value), bound, style), " ", numbers)
