"""The watches: the only importer of kopf, of which only stateless event handlers are used.

Knows kopf's settings and traps. A handler puts what it sees into the intake and returns: no kopf annotation,
finalizer, status or Event is ever written, and no kopf feature that would write one may be registered.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any, cast

import kopf

from serinus.cluster.kinds import WATCHED, Kind, Manifest
from serinus.cluster.login import fetch_login
from serinus.controller.intake import Intake
from serinus.controller.resync import selector_of
from serinus.errors import BrokenInvariant, SerinusError
from serinus.settings import Settings

Tell = Callable[[Kind], None]


class WatchesFailed(SerinusError):
    """kopf gave up: without watches nothing is noticed any more."""


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no earlier state: nothing here looks at differences, and copying each object twice costs half the CPU."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return cast("kopf.BodyEssence", {})

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: event handlers have none."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


async def watch(settings: Settings, intake: Intake, told: Tell, stop: asyncio.Event) -> None:
    """Watch all kinds until ``stop`` is set, which SIGTERM and SIGINT do, too.

    Args:
        settings: which namespaces.
        intake: where everything that is seen goes.
        told: hears of each event's kind.
        stop: ends the watches.

    Raises:
        WatchesFailed: a watch failed for good, after kopf's retries.
    """
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=make_registry(intake, told),
        settings=make_kopf_settings(),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        stop_flag=stop,
    )
    # kopf has taken the signals for itself; ended by one, it waits 5 s for its own task that waits for the flag.
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    try:
        await kopf.run_tasks(tasks, ignored=ours)
    except Exception as failure:
        # kopf names no common root of its errors in public, and whatever it gave up with ends the process.
        raise WatchesFailed(
            f"the watches ended for good ({type(failure).__name__}: {failure}), so this process ends; "
            "its replacement starts afresh"
        ) from failure


def make_registry(intake: Intake, told: Tell) -> kopf.OperatorRegistry:
    """Return kopf's registry with one event handler per watched kind, and our login.

    Raises:
        BrokenInvariant: a handler that would make kopf write is registered.
    """
    registry = kopf.OperatorRegistry()
    for kind in WATCHED:
        group, _, version = kind.api_version.rpartition("/")
        kopf.on.event(group, version, kind.plural, registry=registry)(_make_handler(kind, intake, told))
    kopf.on.login(registry=registry, errors=kopf.ErrorsMode.TEMPORARY, backoff=5)(_login)
    for writing in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        if writing.get_all_handlers():
            raise BrokenInvariant("only stateless kopf handlers may be registered: the storages keep nothing")
    return registry


def make_kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: filtered at the server, nothing written, little memory."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.queueing.idle_timeout = 0.5
    settings.watching.chunk_size = 500
    for kind in WATCHED:
        if labels := selector_of(kind):
            group, _, version = kind.api_version.rpartition("/")
            settings.watching.label_selectors[group, version, kind.plural] = ",".join(
                f"{key}={value}" for key, value in labels.items()
            )
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    return settings


def _make_handler(kind: Kind, intake: Intake, told: Tell) -> Callable[..., Awaitable[None]]:
    async def see(event: kopf.RawEvent, **_: Any) -> None:
        # kopf keeps the object for itself and lists come without types.
        obj: Manifest = {**event["object"], "apiVersion": kind.api_version, "kind": kind.kind}
        told(kind)
        if event["type"] == "DELETED":
            intake.see_gone(obj)
        else:
            intake.see(obj)

    # A returned value would become a status field, so nothing is returned; the name is the handler's id.
    see.__name__ = see.__qualname__ = f"see_{kind.plural}"
    return see


async def _login(**_: Any) -> kopf.ConnectionInfo:
    login = await asyncio.get_running_loop().run_in_executor(None, fetch_login)
    return kopf.ConnectionInfo(
        server=login.server,
        ca_path=login.ca_file,
        insecure=not login.verify,
        token=login.token,
        certificate_path=login.certificate_file,
        private_key_path=login.key_file,
    )
