"""Wire models of what is in the schema from the start and not built yet: kept loose, refused by ``supported``."""

from typing import Annotated

from pydantic import Field

from serinus.api.wire import Loose, Name, Ruled

MAX_RESERVED = 20


class Hook(Loose):
    """Something to call when a rollout reaches a point."""

    name: Name
    """Unique within the list."""


class Notification(Loose):
    """Somebody to tell about transitions."""

    name: Name
    """Unique within the list."""


class OnDrift(Loose):
    """What to do when canary and stable both drift from the training reference."""


class Variant(Loose):
    """A further revision that is served beside stable for good."""

    name: Name
    """Unique within the list."""


class Dependency(Loose):
    """Another ModelDeployment of the namespace that must be stable before a rollout of this one starts."""

    name: Name
    """Its name."""


class SessionAffinity(Loose):
    """Keeps a client on the side that it met first."""


class Match(Loose):
    """Requests that go to the canary whatever its weight."""


_by_name = Ruled(extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})

Hooks = Annotated[tuple[Hook, ...], Field(max_length=MAX_RESERVED), _by_name]
Notifications = Annotated[tuple[Notification, ...], Field(max_length=MAX_RESERVED), _by_name]
Variants = Annotated[tuple[Variant, ...], Field(max_length=MAX_RESERVED), _by_name]
Dependencies = Annotated[tuple[Dependency, ...], Field(max_length=MAX_RESERVED), _by_name]
