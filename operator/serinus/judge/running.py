"""What the judge remembers of a rollout, as plain JSON. Written once per tick that told something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from serinus.errors import BrokenInvariant
from serinus.judge.exposure import Exposure
from serinus.judge.states import Process, RateState, ValueState
from serinus.stats.breaches import BreachShare
from serinus.stats.capital import Capital
from serinus.stats.counts import Counts
from serinus.stats.margin_test import History, Proof
from serinus.stats.risk_difference import Excess, RiskDifference

WIRE_VERSION = 1

Numbers = Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """The decision that ends the rollout; it stands."""

    reason: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The judge's sums after a tick."""

    at: datetime | None = None
    """Newest tick that told something."""
    ticks: int = 0
    """Ticks that told something."""
    step: int = -1
    """Step of the newest tick that carried a comparison."""
    ticks_in_step: int = 0
    """Ticks in that step that carried a comparison."""
    turned: bool = False
    """The evidence key has turned."""
    rolled_back: RolledBack | None = None
    rates: Mapping[str, RateState] = field(default_factory=dict)
    values: Mapping[str, ValueState] = field(default_factory=dict)

    def to_wire(self) -> dict[str, object]:
        """Return plain JSON values; ``from_wire`` gives back an equal state."""
        wire: dict[str, object] = {
            "version": WIRE_VERSION,
            "ticks": self.ticks,
            "step": self.step,
            "ticksInStep": self.ticks_in_step,
            "turned": self.turned,
            "rates": {name: _rate_to_wire(state) for name, state in self.rates.items()},
            "values": {name: _value_to_wire(state) for name, state in self.values.items()},
        }
        if self.at:  # absent, not null: a merge patch would read null as "remove"
            wire["at"] = self.at.astimezone(UTC).isoformat()
        if self.rolled_back:
            wire["rolledBack"] = {"reason": self.rolled_back.reason, "because": self.rolled_back.because}
        return wire

    @staticmethod
    def from_wire(wire: Mapping[str, object] | None) -> "Running":
        """Read what ``to_wire`` wrote; nothing, or an empty object, is a fresh start.

        Raises:
            BrokenInvariant: something else is there. To start afresh would spend the false rollback rate twice.
        """
        if not wire:
            return Running()
        try:
            return _running(wire)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise BrokenInvariant(f"the judge's running numbers cannot be read: {error!r}") from error


def _running(wire: Mapping[str, object]) -> Running:
    if wire["version"] != WIRE_VERSION:
        raise ValueError(f"version {wire['version']}")
    at = wire.get("at")
    back = cast("Mapping[str, str] | None", wire.get("rolledBack"))
    rates = cast("Mapping[str, Mapping[str, Numbers]]", wire["rates"])
    values = cast("Mapping[str, Mapping[str, Numbers]]", wire["values"])
    return Running(
        at=datetime.fromisoformat(cast("str", at)).astimezone(UTC) if at is not None else None,
        ticks=int(cast("int", wire["ticks"])),
        step=int(cast("int", wire["step"])),
        ticks_in_step=int(cast("int", wire["ticksInStep"])),
        turned=bool(wire["turned"]),
        rolled_back=RolledBack(reason=back["reason"], because=back["because"]) if back else None,
        rates={name: _rate(each) for name, each in rates.items()},
        values={name: _value(each) for name, each in values.items()},
    )


def _process_to_wire(process: Process) -> list[float]:
    return [process.ticks, process.started_step, process.peak, process.capital.cash, *process.capital.parts]


def _process(wire: Numbers) -> Process:
    ticks, started_step, peak, cash, *parts = wire
    capital = Capital(parts=tuple(map(float, parts)), cash=float(cash))
    return Process(capital=capital, ticks=int(ticks), started_step=int(started_step), peak=float(peak))


def _rate_to_wire(state: RateState) -> dict[str, object]:
    counts, history = state.counts, state.exposure.history
    return {
        "process": _process_to_wire(state.process),
        "overall": _excess_to_wire(state.difference.overall),
        "recent": _excess_to_wire(state.difference.recent),
        "history": [history.total, history.bad],
        "proofs": [[weight, proof.cash, *proof.parts] for weight, proof in state.exposure.proofs],
        "counts": [counts.canary_total, counts.canary_bad, counts.stable_total, counts.stable_bad],
    }


def _rate(wire: Mapping[str, Numbers]) -> RateState:
    canary_total, canary_bad, stable_total, stable_bad = (int(each) for each in wire["counts"])
    total, bad = (float(each) for each in wire["history"])
    return RateState(
        process=_process(wire["process"]),
        difference=RiskDifference(overall=_excess(wire["overall"]), recent=_excess(wire["recent"])),
        exposure=Exposure(
            history=History(total=total, bad=bad),
            proofs=tuple(_proof(each) for each in cast("Sequence[Numbers]", wire["proofs"])),
        ),
        counts=Counts(
            canary_total=canary_total, canary_bad=canary_bad, stable_total=stable_total, stable_bad=stable_bad
        ),
    )


def _proof(wire: Numbers) -> tuple[int, Proof]:
    weight, cash, *parts = wire
    return int(weight), Proof(parts=tuple(map(float, parts)), cash=float(cash))


def _excess_to_wire(excess: Excess) -> list[float]:
    return [excess.weight, excess.difference, excess.sparse, excess.crossed]


def _excess(wire: Numbers) -> Excess:
    weight, difference, sparse, crossed = (float(each) for each in wire)
    return Excess(weight=weight, difference=difference, sparse=sparse, crossed=crossed)


def _value_to_wire(state: ValueState) -> dict[str, object]:
    share = state.share
    newest = [] if state.value is None else [state.value]
    return {
        "process": _process_to_wire(state.process),
        "share": [share.ticks, share.breaches, share.recent_ticks, share.recent_breaches],
        "value": newest,
    }


def _value(wire: Mapping[str, Numbers]) -> ValueState:
    ticks, breaches, recent_ticks, recent_breaches = wire["share"]
    return ValueState(
        process=_process(wire["process"]),
        share=BreachShare(
            ticks=int(ticks),
            breaches=int(breaches),
            recent_ticks=float(recent_ticks),
            recent_breaches=float(recent_breaches),
        ),
        value=float(wire["value"][0]) if wire["value"] else None,
    )
