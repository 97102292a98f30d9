"""Tables of single blocks; whole histories are in ``tests/prometheus/test_reader.py``."""

import itertools
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.signals import counts
from serinus.signals.counts import Block, Counted, Readings, Targets, Walks, count, counted_targets, pair, pods_to_walk
from serinus.signals.grid import LOOK_BACK
from serinus.signals.samples import Sample, Target, Track, series_key

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
TARGET = Target(pod="p", instance="i", job="j")
BLOCK = Block(start=START, end=START + timedelta(seconds=30), before=Targets(), after=Targets())
SECOND = timedelta(seconds=1)


def sample(value: float, **labels: str) -> Sample:
    return Sample(labels={"pod": "p", "instance": "i", "job": "j", **labels}, value=value)


def counted(before: list[Sample], after: list[Sample], block: Block = BLOCK, walks: Walks | None = None) -> Counted:
    readings = Readings(before=before, after=after)
    return count(block, readings, counted_targets(readings), walks)


PLAIN = {
    "growth": ([sample(3)], [sample(10)], 7),
    "no growth": ([sample(3)], [sample(3)], 0),
    "a sum over series": ([sample(3, a="1"), sample(4, a="2")], [sample(5, a="1"), sample(9, a="2")], 7),
    "a series that is gone": ([sample(3, a="1"), sample(4, a="2")], [sample(5, a="1")], 2),
    "a reset without raw samples": ([sample(100)], [sample(5)], 5),
    "the metric's name makes no difference": ([sample(3, __name__="x")], [sample(10)], 7),
    "fractions": ([sample(3.6)], [sample(10.4)], 7),
}


@pytest.mark.parametrize(("before", "after", "increment"), PLAIN.values(), ids=PLAIN)
def test_increments(before: list[Sample], after: list[Sample], increment: int) -> None:
    assert counted(before, after) == Counted(by_pod={"p": increment}, left_out={})


@given(st.lists(st.floats(0, 1e6), min_size=2).map(sorted))
def test_fractional_counters_telescope(values: list[float]) -> None:
    blocks = [counted([sample(a)], [sample(b)]).by_pod["p"] for a, b in itertools.pairwise(values)]
    assert sum(blocks) == math.floor(values[-1]) - math.floor(values[0])


YOUTH = {
    "nothing known": (BLOCK, None),
    "scraped before": (replace(BLOCK, before=Targets(scraped=frozenset({TARGET}))), 5),
    "another target scraped": (replace(BLOCK, before=Targets(scraped=frozenset({TARGET._replace(job="k")}))), None),
    "created in the block": (replace(BLOCK, created={"p": START + SECOND}), 5),
    "created within the look-back": (replace(BLOCK, created={"p": START - LOOK_BACK + SECOND}), 5),
    "created before": (replace(BLOCK, created={"p": START - LOOK_BACK}), None),
    "started in the block": (replace(BLOCK, after=Targets(started={TARGET: (START + SECOND).timestamp()})), 5),
    "started long ago": (replace(BLOCK, after=Targets(started={TARGET: (START - LOOK_BACK).timestamp()})), None),
}


@pytest.mark.parametrize(("block", "increment"), YOUTH.values(), ids=YOUTH)
def test_a_newborn_series_counts_from_zero_only_with_proof(block: Block, increment: int | None) -> None:
    found = counted([], [sample(5)], block)
    assert found.by_pod == ({} if increment is None else {"p": increment})
    assert found.left_out == ({"p": counts.AGE_UNKNOWN} if increment is None else {})


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("at_end", [True, False])
def test_a_value_that_is_no_count_leaves_its_pod_out(value: float, at_end: bool) -> None:
    ends = (sample(5, a="1"), sample(value, a="1"))
    before, after = ends if at_end else ends[::-1]
    found = counted(
        [before, sample(1, a="2")], [after, sample(2, a="2"), sample(8, pod="q"), sample(0, pod="q", a="2")]
    )
    assert found.by_pod == {}
    assert found.left_out["p"] == counts.NO_NUMBER


def track(*points: tuple[float, float], **labels: str) -> Track:
    return Track(labels=sample(0, **labels).labels, points=tuple((START + SECOND * at, value) for at, value in points))


def walked(before: float | None, after: float, points: Track, starts: Track | None = None, block: Block = BLOCK) -> int:
    walks = Walks(counters={series_key(points.labels): points}, starts={TARGET: starts} if starts else {})
    return counted([] if before is None else [sample(before)], [sample(after)], block, walks).by_pod["p"]


def test_a_walk_adds_up_the_lives_of_a_counter() -> None:
    assert walked(10, 4, track((-5, 10), (5, 12), (10, 3), (15, 9), (20, 4))) == 2 + 3 + 6 + 4


def test_a_walk_keeps_to_its_block() -> None:
    assert walked(10, 4, track((-9, 50), (0, 10), (5, 2), (30, 4), (31, 90))) == 4


def test_a_walk_of_a_newborn_series_begins_at_zero() -> None:
    young = replace(BLOCK, created={"p": START})
    assert walked(None, 4, track((5, 7), (10, 4)), block=young) == 7 + 4


NOON = START.timestamp()
LIVES = {
    "a new process counts from zero even above the old value": ([(-5, -900), (5, -900), (10, 7)], 2 + 15),
    "so it does when clocks differ a little": ([(-5, -900), (5, -900), (10, 3)], 2 + 15),
    "a start time that jitters is the same process": ([(-5, -900), (5, -899.1), (10, -899.9)], 5),
    "a clock that was set back makes no new process": ([(-5, -900), (5, -900), (10, -4500)], 5),
    "a clock that was set forward makes no new process": ([(-5, -900), (5, -900), (10, -100)], 5),
    "a process of unknown start is the same": ([(10, 7)], 5),
}


@pytest.mark.parametrize(("starts", "increment"), LIVES.values(), ids=LIVES)
def test_lives_of_a_process(starts: list[tuple[float, float]], increment: int) -> None:
    told = track(*((at, NOON + start) for at, start in starts), __name__="process_start_time_seconds")
    assert walked(10, 15, track((-5, 10), (5, 12), (10, 15)), told) == increment


def test_the_process_of_the_first_value_is_that_of_its_own_scrape() -> None:
    starts = track((-60, NOON - 900), (-5, NOON - 9), (10, NOON - 9), __name__="process_start_time_seconds")
    assert walked(10, 15, track((-60, 10), (10, 15)), starts) == 15


def test_pods_to_walk() -> None:
    readings = Readings(
        before=[sample(5, pod="fell"), sample(5, pod="grew"), sample(5, pod="replaced", instance="x")],
        after=[
            sample(4, pod="fell"),
            sample(6, pod="grew"),
            sample(6, pod="replaced", instance="x"),
            sample(1, pod="born"),
        ],
        resets=[sample(1, pod="reset")],
    )
    block = replace(BLOCK, restarted=frozenset({Target("replaced", "x", "j"), Target("unrelated", "x", "j")}))
    assert pods_to_walk(block, readings) == {"fell", "replaced", "reset"}


def test_one_job_for_each_port() -> None:
    readings = Readings(before=[sample(1, job="b")], after=[sample(1, job="c"), sample(1, instance="2", job="z")])
    assert counted_targets(readings, Readings(after=[sample(1, job="a")])) == {
        TARGET._replace(job="a"),
        TARGET._replace(instance="2", job="z"),
    }


def each(left_out: dict[str, str] | None = None, **by_pod: int) -> Counted:
    return Counted(by_pod=by_pod, left_out=left_out or {})


PAIRS = {
    "bad ones": (each(p=5), each(p=2), {"p": (5, 2)}, {}),
    "no bad ones": (each(p=5), each(), {"p": (5, 0)}, {}),
    "all bad": (each(p=5), each(p=5), {"p": (5, 5)}, {}),
    "more bad than all": (each(p=5, q=1), each(p=6), {"q": (1, 0)}, {"p": counts.BAD_ABOVE_TOTAL}),
    "no total": (each(q=1), each(p=1), {"q": (1, 0)}, {"p": counts.WITHOUT_TOTAL}),
    "total left out": (each({"p": "why"}), each(p=1), {}, {"p": "why"}),
    "bad left out": (each(p=5), each({"p": "why"}), {}, {"p": "why"}),
}


@pytest.mark.parametrize(("total", "bad", "by_pod", "left_out"), PAIRS.values(), ids=PAIRS)
def test_pairs(total: Counted, bad: Counted, by_pod: dict, left_out: dict) -> None:
    rates = pair(total, bad)
    assert (rates.by_pod, rates.left_out) == (by_pod, left_out)


COMPLEMENTS = {
    "some slow": (each(p=5), each(p=2), {"p": (5, 3)}, {}),
    "none slow": (each(p=5), each(p=5), {"p": (5, 0)}, {}),
    "more good than all": (each(p=5), each(p=6), {}, {"p": counts.BAD_ABOVE_TOTAL}),
    "no such bucket": (each(p=5), each(), {}, {"p": counts.WITHOUT_TOTAL}),
    "good left out": (each(p=5), each({"p": "why"}), {}, {"p": "why"}),
}


@pytest.mark.parametrize(("total", "good", "by_pod", "left_out"), COMPLEMENTS.values(), ids=COMPLEMENTS)
def test_complements(total: Counted, good: Counted, by_pod: dict, left_out: dict) -> None:
    rates = counts.complement(total, good)
    assert (rates.by_pod, rates.left_out) == (by_pod, left_out)


def test_targets_are_read_from_up_and_start_times() -> None:
    up, down = sample(1, pod="a", __name__="up"), sample(0, pod="b", __name__="up")
    started = sample(9, pod="c", __name__="process_start_time_seconds")
    found = counts.read_targets([up, down, started])
    assert {t.pod for t in found.known} == {"a", "b", "c"}
    assert {t.pod for t in found.scraped} == {"a", "c"}
    assert found.started == {TARGET._replace(pod="c"): 9}
