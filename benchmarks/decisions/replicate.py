"""Play one replicate of a cell through the operator's judge and note what came out."""

from dataclasses import dataclass
from itertools import islice

from benchmarks.decisions.cells import Cell
from benchmarks.decisions.policy import NEVER
from benchmarks.decisions.serinus import Judged, plan_of
from serinus.rollout.assessment import Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one replicate."""

    replicate: int
    rollback: int = NEVER
    """Tick of the rollback, numbered from 1."""
    promote: int = NEVER
    """First tick at which the proof for the next step was there."""
    reason: str = ""
    """Why it was rolled back, or what the last tick said."""
    signal: str = ""
    """Signal that failed."""
    held: int = NEVER
    """First tick at which a Hold signal had both keys turned."""


def play(cell: Cell, replicate: int) -> Result:
    """Judge one replicate until it is rolled back or the cell ends."""
    played = cell.source.play(cell.rng(replicate), cell)
    judged = Judged(plan_of(cell.conditions, cell.signals, strict=cell.strict))
    judged.learn(played.before)
    promote = held = NEVER
    said = None
    for number, measurements in enumerate(islice(played.ticks, cell.conditions.ticks), 1):
        judged.step = cell.step_at(number)
        said = judged.on(number, measurements)
        if said.rollback:
            failed = next((each.name for each in said.signals if each.verdict == "FAIL"), "")
            return Result(replicate=replicate, rollback=number, promote=promote, reason=said.reason, signal=failed)
        if promote == NEVER and said.promote:
            promote = number
        if held == NEVER and any(each.verdict == "FAIL" for each in said.signals):
            held = number
    return Result(replicate=replicate, promote=promote, held=held, reason=_last_reason(said))


def _last_reason(said: Assessment | None) -> str:
    """Return what was last said of the only signal, or of all of them."""
    if said is None:
        return ""
    return said.signals[0].reason if len(said.signals) == 1 else said.reason
