"""What a server begins and never ends is counted block by block, each case once, of newborn pods and of old ones."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from serinus.prometheus.reader import Reader
from serinus.signals.presets import preset
from serinus.signals.scope import alike
from support.scraped import C1, S1, SCOPE
from support.traffic import InProcess, moment
from support.tsdb import Tsdb

KSERVE = preset("kserve").bound_to("iris").errors
STAGES = ("preprocess", "predict", "postprocess")


def kserve(*pods: tuple[str, int, int, list[tuple[int, tuple[int, int, int]]]]) -> Tsdb:
    """Return what is scraped each five seconds of pods: name, first and last scrape, and when the counts changed."""
    tsdb = Tsdb()
    for pod, first, last, changes in pods:
        target = {"pod": pod, "namespace": "risk", "instance": f"{pod}:8080", "job": "pods"}
        for at in range(first, last, 5):
            tsdb.add(moment(at), "up", 1, **target)
            tsdb.add(moment(at), "process_start_time_seconds", moment(first).timestamp(), **target)
            counts = [counts for since, counts in changes if since <= at]
            for stage, value in zip(STAGES, counts[-1] if counts else (), strict=False):
                if value:
                    tsdb.add(moment(at), f"request_{stage}_seconds_count", value, model_name="iris", **target)
    return tsdb


def blocks(tsdb: Tsdb, pod: str, *ends: int) -> list[tuple[int, int]]:
    """Return total and bad of a pod in the blocks between some instants; the attempt began at 0, the canary after."""
    created = {C1: moment(5), S1: moment(-900)}
    found = []
    for start, end in pairwise(ends):
        reader = Reader(InProcess(tsdb), replace(SCOPE, created=created), moment(start), moment(end), since=moment(0))
        rates = reader.rates(alike(KSERVE))
        found.append({**rates.canary.by_pod, **rates.stable.by_pod}.get(pod, (0, 0)))
    return found


def test_three_of_ten_fail_one_of_them_in_preprocess() -> None:
    tsdb = kserve((C1, 10, 200, [(20, (10, 9, 7))]), (S1, -800, 200, [(-700, (99, 90, 80)), (20, (109, 99, 87))]))
    assert blocks(tsdb, C1, 10, 40, 110, 150) == [(9, 2), (1, 1), (0, 0)]
    assert blocks(tsdb, S1, 10, 40, 110, 150) == [(9, 2), (1, 1), (0, 0)]


def test_a_canary_that_fails_in_preprocess_alone_fails() -> None:
    tsdb = kserve((C1, 10, 200, [(at, (at, 0, 0)) for at in range(10, 200, 5)]), (S1, -800, 200, [(-700, (9, 9, 9))]))
    assert blocks(tsdb, C1, 10, 70, 130, 190) == [(10, 10), (60, 60), (60, 60)]


def test_what_a_slow_model_is_still_answering_is_never_charged() -> None:
    slow = [(at, (10 * at, 10 * (at - 20), 10 * (at - 20))) for at in range(20, 500, 5)]
    tsdb = kserve((C1, 10, 500, slow), (S1, -800, 500, [(-700, (9, 9, 9))]))
    assert [bad for _, bad in blocks(tsdb, C1, 10, 40, 100, 160, 400, 490)] == [0, 0, 0, 0, 0]


def test_a_pod_that_is_not_scraped_is_not_charged() -> None:
    tsdb = kserve((C1, 10, 60, [(at, (at, at - 5, at - 5)) for at in range(10, 60, 5)]), (S1, -800, 500, []))
    assert [bad for _, bad in blocks(tsdb, C1, 10, 60, 200, 400)] == [0, 0, 0]


def test_blocks_of_a_long_attempt_tell_each_case_once() -> None:
    hours = int(timedelta(hours=3).total_seconds())
    tsdb = kserve(
        (C1, 10, hours, [(at, (at, at - at // 10, at - at // 10)) for at in range(10, hours, 5)]), (S1, -800, hours, [])
    )
    told = blocks(tsdb, C1, *range(10, hours, 600))
    begun = hours - 600 - 10
    assert 0.1 * begun - 130 < sum(bad for _, bad in told) <= 0.1 * begun, "all but those of the last two minutes"
