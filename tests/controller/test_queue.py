from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.controller.queue import CONFLICT_BACKOFF, ERROR_BACKOFF, REST_SECONDS, Key, WorkQueue

A, B = Key("n", "a"), Key("n", "b")


@dataclass
class Clock:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


def make_queue() -> tuple[WorkQueue, Clock]:
    clock = Clock()
    return WorkQueue(now=clock, chance=lambda: 0.0), clock


def test_a_key_that_is_added_twice_runs_once() -> None:
    queue, _ = make_queue()
    queue.add(A)
    queue.add(A)
    assert queue.take() == A
    assert queue.take() is None


def test_a_key_in_work_is_not_given_to_a_second_worker_and_runs_again_after_a_rest() -> None:
    queue, clock = make_queue()
    queue.add(A)
    assert queue.take() == A
    queue.add(A)
    queue.add(A)
    clock.seconds += 10
    assert queue.take() is None
    queue.done(A)
    assert queue.take() is None
    clock.seconds += REST_SECONDS
    assert queue.take() == A
    queue.done(A)
    clock.seconds += 10
    assert queue.take() is None


def test_keys_come_in_the_order_in_which_they_became_due() -> None:
    queue, clock = make_queue()
    queue.add_after(A, 5)
    queue.add_after(B, 3)
    clock.seconds += 6
    assert [queue.take(), queue.take()] == [B, A]


@pytest.mark.parametrize(("first", "second", "due"), [(30, 5, 5), (5, 30, 5), (5, -1, 0)])
def test_of_two_delays_the_earlier_one_holds(first: float, second: float, due: float) -> None:
    queue, clock = make_queue()
    queue.add_after(A, first)
    queue.add_after(A, second)
    assert queue.next_due() == clock.seconds + due
    clock.seconds += due
    assert queue.take() == A
    queue.done(A)
    clock.seconds += 60
    assert queue.take() is None, "the later delay went with the run"


def test_a_delay_that_is_set_during_a_run_starts_to_count_then() -> None:
    queue, clock = make_queue()
    queue.add(A)
    queue.take()
    queue.add_after(A, 30)
    assert queue.next_due() is None
    queue.done(A)
    assert queue.next_due() == clock.seconds + 30


def test_failures_in_a_row_wait_longer_each_time_up_to_a_limit_and_forgetting_starts_again() -> None:
    queue, _ = make_queue()
    delays = [queue.add_failed(A) for _ in range(9)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    queue.forget_failures(A)
    assert queue.add_failed(A) == 0.5
    assert queue.add_failed(B, CONFLICT_BACKOFF) == 0.02


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_jitter_takes_at_most_half_and_the_limit_holds(failures: int, chance: float) -> None:
    full = ERROR_BACKOFF.delay_seconds(failures, 0.0)
    assert full / 2 <= ERROR_BACKOFF.delay_seconds(failures, chance) <= full <= 60


def test_depth_and_age_count_what_is_due() -> None:
    queue, clock = make_queue()
    assert (queue.depth(), queue.oldest_seconds(), queue.longest_work_seconds()) == (0, 0, 0)
    queue.add(A)
    queue.add_after(B, 100)
    clock.seconds += 7
    assert (queue.depth(), queue.oldest_seconds()) == (1, 7)
    queue.take()
    clock.seconds += 2
    assert (queue.depth(), queue.longest_work_seconds()) == (0, 2)
    queue.add(A)
    clock.seconds += 1
    assert (queue.depth(), queue.oldest_seconds()) == (1, 1)


def test_a_busy_key_does_not_pile_up_times_that_were_overtaken() -> None:
    queue, _ = make_queue()
    for _ in range(1000):
        queue.add(A)
        assert queue.take() == A
        queue.add_after(A, 300)
        queue.done(A)
    assert len(queue._heap) < 200


steps = st.lists(
    st.tuples(st.sampled_from(["add", "after", "fail", "take", "done", "pass"]), st.sampled_from([A, B])), max_size=60
)


@given(steps=steps)
def test_whatever_happens_a_woken_key_runs_after_its_wake_and_never_twice_at_once(
    steps: list[tuple[str, Key]],
) -> None:
    queue, clock = make_queue()
    working: set[Key] = set()
    owed: set[Key] = set()
    for step, key in steps:
        if step == "add":
            queue.add(key)
            owed.add(key)
        elif step == "after":
            queue.add_after(key, 3)
        elif step == "fail":
            queue.add_failed(key)
        elif step == "take" and (taken := queue.take()) is not None:
            assert taken not in working
            working.add(taken)
            owed.discard(taken)
        elif step == "done" and key in working:
            working.discard(key)
            queue.done(key)
        elif step == "pass":
            clock.seconds += 1
    for key in working:
        queue.done(key)
    clock.seconds += 100
    while (taken := queue.take()) is not None:
        owed.discard(taken)
        queue.done(taken)
    assert owed == set()
