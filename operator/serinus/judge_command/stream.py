"""Lines in, lines out: what is written about a line depends on the lines before it and on nothing else."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from serinus.errors import SerinusError
from serinus.judge.judge import assess, learn
from serinus.judge.measurements import Tick
from serinus.judge.running import Running
from serinus.judge_command.fields import Fields, Malformed, parse_object
from serinus.judge_command.header import LARGEST_TICK, Run, parse_header
from serinus.judge_command.ticks import parse_measurements, parse_place
from serinus.rollout.assessment import Assessment, SignalEvidence


class BadLine(SerinusError):
    """A line that cannot be judged: its number, counted from 1 in the whole file, and the field."""


@dataclass(slots=True)
class _Rollout:
    run: Run
    running: Running
    newest: int | None = None


def answers(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield one JSON line, without its end, per line of a tick, as soon as that line is read.

    Args:
        lines: JSON Lines in UTF-8; blank ones are skipped.

    Raises:
        BadLine: a line is malformed; everything before it has been answered.
    """
    rollout: _Rollout | None = None
    runs = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = parse_object(line)
            if "signals" in fields:
                runs += 1
                rollout = _begin(parse_header(fields, runs))
                continue
            if rollout is None:
                raise Malformed("signals", "is missing: a run begins with a line that has signals")
            answer = _judge(rollout, fields)
        except Malformed as malformed:
            raise BadLine(f"line {number}: {malformed}") from malformed
        yield json.dumps(answer, ensure_ascii=False, allow_nan=False)


def _begin(run: Run) -> _Rollout:
    return _Rollout(run=run, running=learn(run.plan, Running(), run.before))


def _judge(rollout: _Rollout, fields: Fields) -> dict[str, object]:
    run, steps = rollout.run, rollout.run.plan.steps
    number, step = parse_place(fields, after=rollout.newest, steps=len(steps), largest_tick=LARGEST_TICK)
    try:
        at = run.at(number)
    except OverflowError:
        fields.refuse("tick", f"is too far away: {number} times the interval")
    tick = Tick(
        at=at,
        step=step,
        next_weight=steps[step + 1].weight if step + 1 < len(steps) else 100,
        measurements=parse_measurements(fields, run.plan.signals),
    )
    rollout.running, assessment = assess(run.plan, rollout.running, tick)
    rollout.newest = number
    return _answer(run, number, assessment)


def _answer(run: Run, tick: int, assessment: Assessment) -> dict[str, object]:
    return {
        "run": run.name,
        "tick": tick,
        "verdict": assessment.verdict,
        "evidence": assessment.evidence,
        "threshold": assessment.threshold,
        "rollback": assessment.rollback,
        "promote": assessment.promote,
        "signals": {signal.name: _signal(signal) for signal in assessment.signals},
    }


def _signal(signal: SignalEvidence) -> dict[str, object]:
    return {
        "verdict": signal.verdict,
        "evidence": signal.evidence,
        "safety": signal.safety,
        "effect": signal.effect,
        "effectStandardError": signal.effect_standard_error,
        "dispersion": signal.dispersion,
        "because": signal.because,
    }
