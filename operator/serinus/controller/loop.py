"""Runs everything: start, watch, work, stop. Must not know what a reconcile does.

The order of the start matters. Tasks are made before kopf starts, because kopf ends all younger ones when it stops;
and no worker starts before everything was listed once, because a half-filled cache looks like a cluster without
children.
"""

import asyncio
import gc
import logging
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta

from prometheus_client import start_http_server

from serinus.cluster.kinds import MODEL_DEPLOYMENT, ROLLOUT_REPORT
from serinus.controller.handlers import watch
from serinus.controller.health import serve_health
from serinus.controller.intake import Intake
from serinus.controller.pause import pause
from serinus.controller.queue import ERROR_BACKOFF, Key, WorkQueue
from serinus.controller.resync import FIRST, list_all, next_delay
from serinus.controller.wiring import Parts
from serinus.controller.workers import Workers
from serinus.errors import ClusterError, SerinusError

logger = logging.getLogger(__name__)

CRD_TRIES, CRD_PAUSE_SECONDS = 24, 5
DRAIN_SECONDS = 8.0
STUCK_AFTER = timedelta(minutes=10)
"""Every call has a timeout, so a run that takes longer than this will never end."""


class StartFailed(SerinusError):
    """The operator can't do its work here; the message says what a person has to mend."""


class LeaseLost(SerinusError):
    """Another replica acts now: this process has to end."""


async def run(parts: Parts) -> None:
    """Run the operator until SIGTERM or SIGINT, then finish what is under way.

    Raises:
        StartFailed: the CRDs are not there, or a port is taken.
        LeaseLost: another replica took over.
        WatchesFailed: the watches ended for good.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    queue = WorkQueue(now=loop.time)
    async with AsyncExitStack() as stack:
        threads = ThreadPoolExecutor(parts.settings.workers, thread_name_prefix="reconcile")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        await _open_ports(parts, queue, stack)
        await _wait_until_served(parts, stop)
        if parts.elector is None:
            await _work(parts, queue, threads, stop)
        elif await parts.elector.acquire(stop):
            await _work_as_leader(parts, queue, threads, stop)
    logger.info("stopped")


async def _work_as_leader(parts: Parts, queue: WorkQueue, threads: ThreadPoolExecutor, stop: asyncio.Event) -> None:
    """Work while the Lease is ours; give it up at the end."""
    assert parts.elector is not None  # noqa: S101
    over = asyncio.Event()
    holding = asyncio.create_task(parts.elector.hold(over), name="lease")
    holding.add_done_callback(lambda _: stop.set())
    try:
        await _work(parts, queue, threads, stop)
    finally:
        over.set()
        kept = await holding
        await asyncio.get_running_loop().run_in_executor(None, parts.elector.release)
    if not kept:
        raise LeaseLost("the Lease was lost, so this process ends; its replacement waits for its turn")


async def _work(parts: Parts, queue: WorkQueue, threads: ThreadPoolExecutor, stop: asyncio.Event) -> None:
    """Work until told to stop, then drain."""

    async def reconcile(key: Key) -> timedelta | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, parts.reconciler.reconcile, key.namespace, key.name)

    workers = Workers(queue, reconcile, parts.settings.workers, parts.telemetry.saw_run)
    if not await _list_first(parts, workers, stop):
        return
    listing = asyncio.create_task(_list_again(parts, workers), name="periodic listing")
    workers.start()
    # Lets the new tasks begin, so that kopf counts them among those that were there before it.
    await asyncio.sleep(0)
    try:
        await watch(parts.settings, Intake(parts.cache, workers.wake), parts.telemetry.saw_event, stop)
    finally:
        listing.cancel()
        if not await workers.stop(DRAIN_SECONDS):
            logger.warning("reconciles were still under way after %.0f s; the next start repairs them", DRAIN_SECONDS)


async def _open_ports(parts: Parts, queue: WorkQueue, stack: AsyncExitStack) -> None:
    show, settings = parts.telemetry.show, parts.settings
    show("serinus_queue_depth", "ModelDeployments that are due.", queue.depth)
    show("serinus_queue_oldest_seconds", "How long the one that is due longest has waited.", queue.oldest_seconds)
    show("serinus_reconcile_longest_seconds", "Age of the longest run under way.", queue.longest_work_seconds)
    show("serinus_cached_objects", "Objects in the watch cache.", lambda: len(parts.cache))
    if parts.elector is not None:
        show("serinus_leader", "1 while this replica holds the Lease.", parts.elector.may_write)

    def ailment() -> str:
        seconds = queue.longest_work_seconds()
        return f"a reconcile has been running for {seconds:.0f} s" if seconds > STUCK_AFTER.total_seconds() else ""

    port = settings.liveness_port
    try:
        if port:
            stack.callback((await serve_health(port, ailment)).close)
        if port := settings.metrics_port:
            server, _ = start_http_server(port, registry=parts.telemetry.registry)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
    except OSError as taken:
        raise StartFailed(
            f"port {port} can't be opened ({taken}); set SERINUS_LIVENESS_PORT or SERINUS_METRICS_PORT to another"
        ) from taken


async def _wait_until_served(parts: Parts, stop: asyncio.Event) -> None:
    """Wait for our CRDs; kopf would resolve its kinds once and then idle for ever without them."""
    loop = asyncio.get_running_loop()
    missing = "the API server did not answer"
    for _ in range(CRD_TRIES):
        if stop.is_set():
            return
        try:
            absent = [
                kind
                for kind in (MODEL_DEPLOYMENT, ROLLOUT_REPORT)
                if not await loop.run_in_executor(None, parts.cluster.is_served, kind)
            ]
            if not absent:
                return
            missing = "the API server does not serve " + " and ".join(
                f"{kind.kind} ({kind.api_version})" for kind in absent
            )
            missing += "; apply the CRDs (the folder crds/, or the chart)"
        except ClusterError as failure:
            missing = str(failure)
        logger.warning("waiting: %s", missing)
        await pause(stop, CRD_PAUSE_SECONDS)
    raise StartFailed(missing)


async def _list_first(parts: Parts, workers: Workers, stop: asyncio.Event) -> bool:
    """Fill the cache and wake everything; False if told to stop before that worked."""
    failures = 0
    while not stop.is_set():
        try:
            count = await _list(parts)
        except ClusterError as failure:
            failures += 1
            delay = ERROR_BACKOFF.delay_seconds(failures, random.random())  # noqa: S311
            logger.warning("the first listing failed, again in %.1f s: %s", delay, failure)
            await pause(stop, delay)
            continue
        _wake_all(parts, workers)
        logger.info(
            "watching %s: %d objects, %d of them ModelDeployments",
            ", ".join(parts.settings.namespaces) or "all namespaces",
            count,
            len(parts.cache.model_deployments()),
        )
        # What is in memory now stays there; looking through it again and again is most of what idling would cost.
        gc.collect()
        gc.freeze()
        return True
    return False


async def _list_again(parts: Parts, workers: Workers) -> None:
    """List now and then, for ever."""
    delay = FIRST
    while True:
        await asyncio.sleep(delay.total_seconds())
        try:
            await _list(parts)
        except ClusterError as failure:
            logger.warning("the periodic listing failed, the next one will repair it: %s", failure)
        _wake_all(parts, workers)
        delay = next_delay(random.random)


async def _list(parts: Parts) -> int:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, list_all, parts.cluster, parts.cache, parts.settings.namespaces)


def _wake_all(parts: Parts, workers: Workers) -> None:
    for namespace, name in parts.cache.model_deployments():
        workers.wake(Key(namespace, name))
