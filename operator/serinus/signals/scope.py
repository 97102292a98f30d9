"""Say whose series are meant: the pods of the canary's and of stable's revision.

Knows how Kubernetes names the pods of a Deployment. Must not know metrics.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from serinus.signals.placeholders import NAMESPACE, REVISION, WORKLOAD
from serinus.signals.samples import NAMESPACE_LABEL, POD_LABEL
from serinus.signals.selectors import Matcher, equals, literal, matches

_GENERATED_BASE_LENGTH = 58  # Kubernetes cuts generateName here before it appends five random characters
_HASH_LENGTH = 10  # of a ReplicaSet: at most the digits of a 32-bit number

T = TypeVar("T")
U = TypeVar("U")


class Side(StrEnum):
    """The two that are compared."""

    CANARY = "canary"
    STABLE = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BySide(Generic[T]):
    """One thing for each side."""

    canary: T
    stable: T

    def of(self, side: Side) -> T:
        """Return that of one side."""
        return self.canary if side is Side.CANARY else self.stable

    def mapped(self, change: Callable[[T], U]) -> "BySide[U]":
        """Return what becomes of each."""
        return BySide(canary=change(self.canary), stable=change(self.stable))


def alike(both: T) -> BySide[T]:
    """Return the same for both sides."""
    return BySide(canary=both, stable=both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The pods that a measurement is about. Pods that are gone belong to it as well: their last counts matter."""

    namespace: str
    canary: str
    """Name of the canary's Deployment, ``<name>-<revision>``."""
    stable: str
    """Name of stable's Deployment."""
    model: str
    """The name that the server knows the model by."""
    created: Mapping[str, datetime] = field(default_factory=dict)
    """When each pod that exists now was created, by name."""

    def side_of(self, pod: str) -> Side | None:
        """Return the side that a pod belongs to by its name, None for a stranger."""
        for side in Side:
            if re.fullmatch(pod_pattern(self._child(side)), pod):
                return side
        return None

    def matchers(self, *sides: Side) -> tuple[Matcher, ...]:
        """Return the conditions that select the pods of one or both sides."""
        patterns = [pod_pattern(self._child(side)) for side in sides]
        return equals(NAMESPACE_LABEL, self.namespace), matches(POD_LABEL, "|".join(patterns))

    def revision(self, side: Side) -> str:
        """Return the short name of a side's revision, which is what its Deployment's name ends with."""
        return self._child(side).rpartition("-")[2]

    def names(self, side: Side) -> Mapping[str, str]:
        """Return what the placeholders of a side stand for."""
        return {REVISION: self.revision(side), WORKLOAD: self._child(side), NAMESPACE: self.namespace}

    def _child(self, side: Side) -> str:
        return self.canary if side is Side.CANARY else self.stable


def pod_pattern(deployment: str) -> str:
    """Return an RE2 pattern for the names of a Deployment's pods.

    ``<deployment>-<hash>-<5 random>``; what stands before the random part is cut at 58 characters, so that with a long
    name the second dash, or a part of the hash, is missing.
    """
    room = _GENERATED_BASE_LENGTH - len(deployment) - 1
    base = literal(deployment[:_GENERATED_BASE_LENGTH])
    if room > _HASH_LENGTH:
        return f"{base}-[a-z0-9]{{1,{_HASH_LENGTH}}}-[a-z0-9]{{5}}"
    if room < 1:
        return f"{base}-?[a-z0-9]{{5}}"
    cut = f"[a-z0-9]{{{room}}}[a-z0-9]{{5}}"
    return f"{base}-({cut})" if room == 1 else f"{base}-([a-z0-9]{{1,{room - 1}}}-[a-z0-9]{{5}}|{cut})"
