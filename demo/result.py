"""Judge the demo by what was seen: revision 2 serves, revision 3 was rejected for its errors, nothing was lost.

Pure: values in, sentences out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from demo.connection import UNNAMED
from demo.counts import Counts, Tally
from serinus import contract
from serinus.api.quantities import parse_time

LONGEST_EXPOSURE_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How long users met the bad revision."""

    first: datetime
    """First answer of the bad revision."""
    weight_zero: datetime
    """Its weight was set to 0 in the reconcile of this time (whole seconds)."""
    last: datetime
    """Last answer of the bad revision: kept-alive connections meet it until its pods end."""
    answers: int
    failures: int
    """Answers of 500 and above among them."""

    @property
    def until_weight_zero_seconds(self) -> float:
        """Return the time from the first answer to weight 0."""
        return (self.weight_zero - self.first).total_seconds()

    @property
    def seconds(self) -> float:
        """Return the time from the first answer to the last."""
        return (self.last - self.first).total_seconds()


def find_exposure(status: Mapping[str, Any], bad: str, counts: Counts) -> Exposure | None:
    """Return how long the bad revision was met, None if it was never.

    MLServer's answers after an exception name no revision; only the bad revision gives those.
    """
    tallies = [counts.revisions.get(name, Tally()) for name in (bad, UNNAMED)]
    firsts = [each.first for each in tallies if each.first]
    lasts = [each.last for each in tallies if each.last]
    rejection = find_rejection(status, bad)
    if not firsts or rejection is None:
        return None
    return Exposure(
        first=min(firsts),
        weight_zero=parse_time(str(rejection["at"])),
        last=max(lasts),
        answers=sum(each.good + each.bad for each in tallies),
        failures=sum(each.bad for each in tallies),
    )


def find_rejection(status: Mapping[str, Any], revision: str) -> Mapping[str, Any] | None:
    """Return the newest rejection of a revision."""
    found = [each for each in status.get("rejected") or [] if each["revision"] == revision]
    return found[-1] if found else None


def find_faults(status: Mapping[str, Any], good: str, bad: str, counts: Counts) -> list[str]:
    """Return what is not as it has to be, a sentence each; empty: the demo succeeded."""
    faults = []
    stable = (status.get("stable") or {}).get("revision")
    if stable != good:
        faults.append(f"revision 2 ({good}) has to serve, but {stable} does")
    rejection = find_rejection(status, bad)
    if rejection is None:
        faults.append(f"revision 3 ({bad}) has to be rejected, but is not")
    elif rejection["reason"] != contract.REASON_ERRORS_WORSE:
        faults.append(f"revision 3 has to be rejected for its errors, but the reason is {rejection['reason']}")
    new = counts.new
    if new.failed:
        kinds = ", ".join(f"{count} {kind.value}" for kind, count in new.failures.items())
        faults.append(f"{new.failed} of {new.sent:,} requests on new connections failed in transport: {kinds}")
    if new.skipped or not new.sent:
        faults.append(f"the load was not steady: {new.sent:,} requests sent, {new.skipped:,} due ones left out")
    exposure = find_exposure(status, bad, counts)
    if exposure is None:
        faults.append("revision 3 has to meet some traffic, but met none")
    elif exposure.seconds > LONGEST_EXPOSURE_SECONDS:
        faults.append(f"revision 3 answered for {exposure.seconds:.0f} s; {LONGEST_EXPOSURE_SECONDS:.0f} s are allowed")
    return faults
