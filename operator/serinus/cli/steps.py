"""Say where an attempt stands in its plan, and what it waits for. Knows the wire form of status and plan; no clock."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from serinus.api.quantities import parse_duration, parse_time
from serinus.cli.words import say_age, say_seconds
from serinus.rollout.types import CanaryState, StepKind

Wire = Mapping[str, Any]


def say_step(canary: Wire, plan: Wire, now: datetime) -> list[Text]:
    """Return the lines about the step in force: the track of all steps, and what this one waits for."""
    steps = list(plan.get("steps") or [])
    index = int(canary.get("step") or 0)
    lines = []
    if steps:
        lines.append(_make_track(steps, index, is_promoting=canary.get("state") == CanaryState.PROMOTING))
    lines.append(Text(_say_wait(canary, steps[index] if index < len(steps) else {}, now)))
    return lines


def say_step_name(step: Wire) -> str:
    """Return ``25 %``, ``approval`` or ``smoke``, after the step's own name if it has one."""
    kind = str(step.get("kind") or StepKind.WEIGHT)
    what = f"{step.get('weight')} %" if kind == StepKind.WEIGHT else kind
    return f"{step['name']} ({what})" if step.get("name") else what


def _make_track(steps: list[Wire], index: int, *, is_promoting: bool) -> Text:
    track = Text(f"step {min(index + 1, len(steps))} of {len(steps)}  ")
    for number, step in enumerate(steps):
        is_now = number == index and not is_promoting
        is_done = number < index or is_promoting
        style = "bold reverse" if is_now else "green" if is_done else "bright_black"
        track.append(f" {say_step_name(step)} ", style=style).append("→", style="bright_black")
    return track.append(" promoted ", style="bold reverse" if is_promoting else "bright_black")


def _say_wait(canary: Wire, step: Wire, now: datetime) -> str:
    state = canary.get("state")
    if canary.get("paused"):
        return f"paused, in this step for {say_age(canary.get('stepSince'), now)}"
    if state == CanaryState.PROMOTING:
        return (
            f"promoting for {say_age(canary.get('stepSince'), now)}: as many pods as replicas ask for have to be ready"
        )
    if state == CanaryState.WAITING:
        return f"waits for its pods for {say_age(canary.get('stepSince'), now)}"
    if step.get("kind") == StepKind.APPROVAL:
        return f"waits for approval for {say_age(canary.get('stepSince'), now)}"
    if step.get("kind") == StepKind.SMOKE:
        return f"its pods are asked before any user reaches them, for {say_age(canary.get('stepSince'), now)}"
    if not canary.get("readySince"):
        return "analysing"
    spent = (now - parse_time(canary["readySince"])).total_seconds()
    at_least = parse_duration(step["atLeast"]).total_seconds() if step.get("atLeast") else 0.0
    least = f" of at least {say_seconds(at_least)}" if at_least else ""
    held = ", no proof in time" if canary.get("inconclusive") else ""
    return f"analysing for {say_seconds(spent)}{least}{held}"
