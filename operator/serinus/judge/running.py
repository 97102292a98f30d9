"""What the judge remembers of a rollout, as plain JSON. Written once per tick that told something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

from serinus.errors import BrokenInvariant
from serinus.judge.states import DriftState, LatencyState, PairState, RateState, SignalState, ValueState
from serinus.judge.wire import pack, unpack
from serinus.stats.traffic_share import TrafficShareState

WIRE_VERSION = 2

_SORTS: Mapping[str, type[SignalState]] = MappingProxyType(
    {"rate": RateState, "latency": LatencyState, "drift": DriftState, "value": ValueState, "pair": PairState}
)
_NAMES = {sort: name for name, sort in _SORTS.items()}


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
    """Ticks that told something about a signal."""
    learnt: int = 0
    """Ticks from before the rollout that were learnt from."""
    step: int = -1
    """Step of the newest tick that carried a comparison."""
    ticks_in_step: int = 0
    """Ticks in that step that carried a comparison."""
    turned: bool = False
    """The evidence key has turned."""
    rolled_back: RolledBack | None = None
    signals: Mapping[str, SignalState] = field(default_factory=dict)
    traffic: TrafficShareState | None = None
    expected: float | None = None
    """The canary's share that was expected of the newest tick that counted requests."""

    def to_wire(self) -> dict[str, object]:
        """Return plain JSON values; ``from_wire`` gives back an equal state."""
        wire: dict[str, object] = {
            "version": WIRE_VERSION,
            "ticks": self.ticks,
            "learnt": self.learnt,
            "step": self.step,
            "ticksInStep": self.ticks_in_step,
            "turned": self.turned,
            "signals": {name: [_NAMES[type(state)], *pack(state)] for name, state in self.signals.items()},
        }
        # What there is not is absent, not null: a merge patch would read null as "remove".
        if self.at:
            wire["at"] = self.at.astimezone(UTC).isoformat()
        if self.rolled_back:
            wire["rolledBack"] = {"reason": self.rolled_back.reason, "because": self.rolled_back.because}
        if self.traffic:
            wire["traffic"] = pack(self.traffic)
        if self.expected is not None:
            wire["expected"] = self.expected
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
    signals = cast("Mapping[str, list[Any]]", wire["signals"])
    traffic, expected = wire.get("traffic"), wire.get("expected")
    return Running(
        at=datetime.fromisoformat(cast("str", at)).astimezone(UTC) if at is not None else None,
        ticks=int(cast("int", wire["ticks"])),
        learnt=int(cast("int", wire["learnt"])),
        step=int(cast("int", wire["step"])),
        ticks_in_step=int(cast("int", wire["ticksInStep"])),
        turned=bool(wire["turned"]),
        rolled_back=RolledBack(reason=back["reason"], because=back["because"]) if back else None,
        signals={name: unpack(_SORTS[state[0]], state[1:]) for name, state in signals.items()},
        traffic=None if traffic is None else unpack(TrafficShareState, traffic),
        expected=None if expected is None else float(cast("float", expected)),
    )
