import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from serinus.cluster.kinds import LEASE
from serinus.controller.lease import LEASE_NAME, LEASE_SECONDS, RENEW_SECONDS, LeaseElector
from serinus.errors import ClusterUnavailable, Conflict
from support.fake_cluster import START, FakeCluster
from support.simulated_loop import run_simulated


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def elector(cluster: FakeCluster, clock: Clock, identity: str = "one") -> LeaseElector:
    return LeaseElector(
        cluster=cluster,
        namespace="system",
        identity=identity,
        monotonic=clock,
        now=lambda: START + timedelta(seconds=clock.seconds),
    )


def holder(cluster: FakeCluster) -> str:
    lease = cluster.get(LEASE, "system", LEASE_NAME)
    assert lease is not None
    return str(lease["spec"]["holderIdentity"])


def test_the_first_makes_the_lease_and_the_second_waits() -> None:
    cluster, clock = FakeCluster(), Clock()
    one, two = elector(cluster, clock, "one"), elector(cluster, clock, "two")
    assert one.attempt()
    assert not two.attempt()
    assert (one.may_write(), two.may_write()) == (True, False)
    assert holder(cluster) == "one"


def test_a_lease_that_does_not_change_is_taken_after_its_time_by_our_own_clock() -> None:
    cluster, clock = FakeCluster(), Clock()
    elector(cluster, clock, "dead").attempt()
    two = elector(cluster, clock, "two")
    clock.seconds = 100
    assert not two.attempt(), "its age is unknown: it counts from when we first saw it"
    clock.seconds = 100 + LEASE_SECONDS
    assert not two.attempt()
    clock.seconds += 0.1
    assert two.attempt()
    lease = cluster.get(LEASE, "system", LEASE_NAME)
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == "two"
    assert lease["spec"]["leaseTransitions"] == 1


def test_a_lease_that_is_renewed_is_never_taken() -> None:
    cluster, clock = FakeCluster(), Clock()
    one, two = elector(cluster, clock, "one"), elector(cluster, clock, "two")
    for _ in range(50):
        clock.seconds += 2
        assert one.attempt()
        assert not two.attempt()


def test_the_right_to_write_ends_before_anybody_else_may_take_over() -> None:
    cluster, clock = FakeCluster(), Clock()
    one, two = elector(cluster, clock, "one"), elector(cluster, clock, "two")
    one.attempt()
    two.attempt()
    clock.seconds = RENEW_SECONDS - 0.1
    assert one.may_write()
    clock.seconds = RENEW_SECONDS
    assert not one.may_write()
    assert not two.attempt()
    assert RENEW_SECONDS < LEASE_SECONDS


def test_a_released_lease_is_free_at_once() -> None:
    cluster, clock = FakeCluster(), Clock()
    one, two = elector(cluster, clock, "one"), elector(cluster, clock, "two")
    one.attempt()
    two.attempt()
    one.release()
    assert not one.may_write()
    assert two.attempt()


def test_only_the_holder_releases() -> None:
    cluster, clock = FakeCluster(), Clock()
    one, two = elector(cluster, clock, "one"), elector(cluster, clock, "two")
    one.attempt()
    two.release()
    assert holder(cluster) == "one"


def test_a_restarted_pod_takes_its_own_lease_up_again_at_once() -> None:
    cluster, clock = FakeCluster(), Clock()
    elector(cluster, clock, "one").attempt()
    assert elector(cluster, clock, "one").attempt()


@pytest.mark.parametrize("error", [Conflict("modified", status=409), ClusterUnavailable("down")])
def test_losing_the_race_for_a_free_lease_gives_no_right_to_write(error: Exception) -> None:
    cluster, clock = FakeCluster(), Clock()
    one = elector(cluster, clock, "one")
    one.attempt()
    one.release()
    two = elector(cluster, clock, "two")
    cluster.fail_at(1, error)
    if isinstance(error, Conflict):
        assert not two.attempt()
    else:
        with pytest.raises(ClusterUnavailable):
            two.attempt()
    assert not two.may_write()


def test_one_failed_renewal_is_no_loss_but_ten_seconds_of_them_are() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.run_in_executor = run_inline  # type: ignore[method-assign,assignment]
        cluster = FakeCluster()
        one = LeaseElector(cluster=cluster, namespace="system", identity="one", monotonic=loop.time, now=lambda: START)
        over = asyncio.Event()
        assert await one.acquire(over)
        loop.call_later(3, setattr, cluster, "unavailable", True)
        loop.call_later(7, setattr, cluster, "unavailable", False)
        loop.call_later(21, setattr, cluster, "unavailable", True)
        assert await one.hold(over) is False
        assert loop.time() == 30, "the last renewal was at 20"

    run_simulated(main())


def test_holding_ends_well_when_it_is_over() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.run_in_executor = run_inline  # type: ignore[method-assign,assignment]
        one = LeaseElector(
            cluster=FakeCluster(), namespace="system", identity="one", monotonic=loop.time, now=lambda: START
        )
        over = asyncio.Event()
        assert await one.acquire(over)
        loop.call_later(60, over.set)
        assert await one.hold(over) is True
        assert loop.time() == 60

    run_simulated(main())


async def run_inline(executor: None, function: object) -> object:
    assert callable(function)
    return function()
