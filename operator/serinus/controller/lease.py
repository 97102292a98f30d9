"""Leader election on a Lease: of several replicas only the holder acts.

Compares no clocks of different machines: another's Lease has expired when it has not changed for its duration on our
own monotonic clock. ``may_write`` is the fence in front of every write; a holder that could not renew in time loses
that right before anybody else may take over. Must not know what the holder does.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from serinus.cluster.kinds import LEASE, Manifest
from serinus.cluster.protocol import ClusterApi
from serinus.controller.pause import pause
from serinus.errors import AlreadyExists, ClusterError, Conflict

logger = logging.getLogger(__name__)

LEASE_NAME = "serinus"
LEASE_SECONDS = 15
"""An unchanged Lease is anybody's after this time."""
RENEW_SECONDS = 10
"""A holder that could not renew for so long stops to act."""
RETRY_SECONDS = 2


@dataclass(slots=True, kw_only=True)
class LeaseElector:
    """One candidate for the Lease. ``attempt`` and ``release`` are synchronous; ``acquire`` and ``hold`` drive them."""

    cluster: ClusterApi
    namespace: str
    identity: str
    """Unique among the replicas: the pod's name."""
    monotonic: Callable[[], float]
    now: Callable[[], datetime]
    """Wall clock; written into the Lease for people, never compared."""
    _valid_until: float = field(default=-1.0)
    _seen: tuple[str, float] = field(default=("", 0.0))
    _holder: str = field(default="")

    def may_write(self) -> bool:
        """Tell whether we surely hold the Lease now."""
        return self.monotonic() < self._valid_until

    def attempt(self) -> bool:
        """Try once to take or renew the Lease; tell whether we hold it.

        Raises:
            ClusterError: the API server did not answer or refused, which says nothing about who holds it.
        """
        asked_at = self.monotonic()
        lease = self.cluster.get(LEASE, self.namespace, LEASE_NAME)
        if lease is not None and not self._is_ours_or_free(lease, asked_at):
            self._valid_until = -1.0
            self._stand_by(str(lease["spec"]["holderIdentity"]))
            return False
        try:
            self._write(lease)
        except (AlreadyExists, Conflict):
            # Another candidate was quicker. If we held the Lease, the fence closes by itself when it is not renewed.
            return self.may_write()
        self._valid_until = asked_at + RENEW_SECONDS
        return True

    def release(self) -> None:
        """Give the Lease up, so that the next replica need not wait for it to expire; needs no answer."""
        held, self._valid_until = self.may_write(), -1.0
        if not held:
            return
        try:
            lease = self.cluster.get(LEASE, self.namespace, LEASE_NAME)
            if lease is not None and lease["spec"].get("holderIdentity") == self.identity:
                spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                self.cluster.replace({**lease, "spec": spec})
        except ClusterError as failure:
            logger.warning("the Lease was not released, others wait %d s for it: %s", LEASE_SECONDS, failure)

    async def acquire(self, stop: asyncio.Event) -> bool:
        """Try until the Lease is ours; False if ``stop`` was set before."""
        while not stop.is_set():
            if await self._attempt_in_thread():
                logger.info("%s holds the Lease %s/%s and acts", self.identity, self.namespace, LEASE_NAME)
                return True
            await pause(stop, RETRY_SECONDS)
        return False

    async def hold(self, over: asyncio.Event) -> bool:
        """Renew until ``over`` is set (True) or the Lease is lost (False)."""
        while True:
            await pause(over, RETRY_SECONDS)
            if over.is_set():
                return True
            if not await self._attempt_in_thread() and not self.may_write():
                logger.error("the Lease %s/%s is lost; another replica acts now", self.namespace, LEASE_NAME)
                return False

    async def _attempt_in_thread(self) -> bool:
        try:
            return await asyncio.get_running_loop().run_in_executor(None, self.attempt)
        except ClusterError as failure:
            logger.warning("the Lease %s/%s could not be read or written: %s", self.namespace, LEASE_NAME, failure)
            return False

    def _is_ours_or_free(self, lease: Manifest, now: float) -> bool:
        spec = lease.get("spec") or {}
        version = lease["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, now)
        holder = spec.get("holderIdentity") or ""
        return holder in ("", self.identity) or now - self._seen[1] > float(spec.get("leaseDurationSeconds") or 0)

    def _stand_by(self, holder: str) -> None:
        if holder != self._holder:
            logger.info("%s holds the Lease %s/%s; standing by", holder, self.namespace, LEASE_NAME)
            self._holder = holder

    def _write(self, lease: Manifest | None) -> None:
        at = self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self.identity, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": at}
        if lease is None:
            metadata: Manifest = {"namespace": self.namespace, "name": LEASE_NAME}
            spec = {**spec, "acquireTime": at, "leaseTransitions": 0}
            self.cluster.create(
                {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
            )
            return
        before = lease.get("spec") or {}
        if before.get("holderIdentity") != self.identity:
            spec = {**spec, "acquireTime": at, "leaseTransitions": int(before.get("leaseTransitions") or 0) + 1}
        self.cluster.replace({**lease, "spec": {**before, **spec}})
