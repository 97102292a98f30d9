"""Blocks read through the queries: exact against a log of what really happened."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.errors import BadQuery
from serinus.prometheus.reader import Reader
from serinus.signals.counts import AGE_UNKNOWN, NOT_CUMULATIVE
from serinus.signals.presets import Counters, Distribution, Histogram, preset
from serinus.signals.scope import Scope, alike
from serinus.signals.selectors import parse_selector
from support.traffic import InProcess, Pod, Process, Request, moment
from support.tsdb import Tsdb

CANARY, STABLE = "fraud-bcdfghjklm", "fraud-zzxxwwvvtt"
SCOPE = Scope(namespace="risk", canary=CANARY, stable=STABLE, model="fraud")
GENERIC = preset("generic").bound_to("fraud")
CODES = ("200", "404", "500", "503")
BUCKETS = GENERIC.latency.buckets
NAMES = (f"{CANARY}-5f7c9d-abcde", f"{CANARY}-5f7c9d-fghij", f"{STABLE}-66b9c-klmno")


def store(*pods: Pod) -> Tsdb:
    tsdb = Tsdb()
    for pod in pods:
        pod.scrape_into(tsdb)
    return tsdb


def together(found):
    """Return what was counted of both sides, as one."""
    return replace(
        found.canary,
        by_pod={**found.canary.by_pod, **found.stable.by_pod},
        left_out={**found.canary.left_out, **found.stable.left_out},
    )


def in_histogram(reader: Reader, *selectors):
    tallies, shared = reader.histogram(alike(Histogram(buckets=selectors, seconds_per_unit=1.0)))
    return together(tallies), shared


def in_categories(reader: Reader, selector: str, label: str):
    tallies, names, _ = reader.categories(alike(Distribution(categories=parse_selector(selector), label=label)))
    return together(tallies), names


def read(tsdb: Tsdb, start: float, end: float, scope: Scope = SCOPE):
    reader = Reader(InProcess(tsdb), scope, moment(start), moment(end))
    return together(reader.rates(alike(GENERIC.errors)))


def requests(start: float, end: float, n: int, bad_every: int = 10_000) -> list[Request]:
    step = (end - start) / n
    return [
        Request(at=start + (i + 0.5) * step, status=500 if i % bad_every == bad_every - 1 else 200) for i in range(n)
    ]


def regular(start: float, end: float, interval: float = 1.0) -> list[float]:
    return [start + i * interval for i in range(int((end - start) / interval) + 1)]


@st.composite
def pods(draw: st.DrawFn, exports_start: bool = True) -> list[Pod]:
    """Pods with restarts, gaps between lives, jittered and missed scrapes, and an outage of all of Prometheus."""
    outage = draw(st.integers(0, 100)), draw(st.integers(0, 60))
    made = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)):
        at, lives = draw(st.integers(-100, 60)), []
        for _ in range(draw(st.integers(1, 3))):
            end = at + draw(st.integers(2, 80))
            times = draw(st.lists(st.floats(at, end), max_size=25))
            statuses = draw(st.lists(st.sampled_from([200, 200, 404, 500, 503]), min_size=25, max_size=25))
            seconds = draw(st.lists(st.sampled_from([0.05, 0.1, 0.2, 3.0]), min_size=25, max_size=25))
            answered = [
                Request(at=t, status=s, seconds=d) for t, s, d in zip(sorted(times), statuses, seconds, strict=False)
            ]
            lives.append(Process(start=at, end=end, requests=answered))
            at = end + draw(st.integers(2, 20))
        phase, interval = draw(st.integers(0, 9)) / 10, draw(st.sampled_from([2.0, 3.0, 7.0]))
        misses = draw(st.sets(st.integers(0, 100), max_size=10))
        scrapes = [
            phase + t
            for i, t in enumerate(regular(-100, 120, interval))
            if i not in misses and not outage[0] < t < sum(outage)
        ]
        made.append(Pod(name=name, processes=lives, scrapes=scrapes, exports_start=exports_start))
    return made


ticks = st.sets(st.integers(1, 11), max_size=11).map(
    lambda chosen: [0.0, *(10.0 * each for each in sorted(chosen)), 120.0]
)


@given(made=pods(), ends=ticks)
def test_all_blocks_together_count_what_scrapes_brought_to_light_once(made: list[Pod], ends: list[float]) -> None:
    tsdb = store(*made)
    blocks = [read(tsdb, start, end) for start, end in itertools.pairwise(ends)]
    assert all(block.left_out == {} for block in blocks)
    for pod in made:
        counts = [block.by_pod.get(pod.name, (0, 0)) for block in blocks]
        assert tuple(map(sum, zip(*counts, strict=True))) == pod.truth(ends[0], ends[-1])


@given(made=pods(), ends=ticks)
def test_all_blocks_together_fill_the_buckets_and_the_categories_that_were_filled(
    made: list[Pod], ends: list[float]
) -> None:
    asks = InProcess(store(*made))
    by_bucket, by_category = Counter[tuple[str, int]](), Counter[tuple[str, str]]()
    for start, end in itertools.pairwise(ends):
        reader = Reader(asks, SCOPE, moment(start), moment(end))
        tallies, shared = in_histogram(reader, *BUCKETS)
        assert tallies.left_out == {}
        assert shared is None or shared.edges == (0.1, 0.25)
        for pod, row in tallies.by_pod.items():
            by_bucket.update({(pod, i): n for i, n in enumerate(row)})
        tallies, names = in_categories(reader, "http_requests_total", "status")
        assert list(names) == sorted(names)
        for pod, row in tallies.by_pod.items():
            by_category.update({(pod, name): n for name, n in zip(names, row, strict=True)})
    for pod in made:
        assert tuple(by_bucket[pod.name, i] for i in range(3)) == pod.in_buckets(ends[0], ends[-1])
        truth = pod.tally(ends[0], ends[-1], lambda it: CODES.index(str(it.status)), 4)
        assert tuple(by_category[pod.name, code] for code in CODES) == truth


def histograms(**edges: str) -> Tsdb:
    """Store a histogram per pod with these edges: in each bucket, one more request in every second."""
    tsdb = Tsdb()
    for at in range(-5, 20):
        for pod, names in edges.items():
            target = {"pod": pod.replace("_", "-"), "namespace": "risk", "instance": pod, "job": "j"}
            for i, le in enumerate(names.split()):
                tsdb.add(moment(at), "score_bucket", (at + 5) * (i + 1), le=le, **target)
    return tsdb


C, S = (name.replace("-", "_") for name in (NAMES[0], NAMES[2]))
SHARED = {
    "the same": ({C: "1 2 +Inf", S: "1 2 +Inf"}, (1.0, 2.0), (10, 10, 10)),
    "written in two ways": ({C: "1 2 +Inf", S: "1.0 2.0 +Inf"}, (1.0, 2.0), (10, 10, 10)),
    "written with what a computer adds": (
        {C: "0.1 0.30000000000000004 +Inf", S: "0.1 0.3 +Inf"},
        (0.1, 0.3),
        (10, 10, 10),
    ),
    "written so by all": (
        {C: "0.1 0.30000000000000004 +Inf", S: "0.1 0.30000000000000004 +Inf"},
        (0.1, 0.3),
        (10, 10, 10),
    ),
    "enough in common": ({C: "1 2 3 +Inf", S: "1 2 2.5 3 +Inf"}, (1.0, 2.0, 3.0), (10, 10, 10, 10)),
    "too few in common": ({C: "1 2 3 +Inf", S: "1 2 4 +Inf"}, (), None),
    "none in common": ({C: "1 +Inf", S: "2 +Inf"}, (), None),
    "one is enough if all have it": ({C: "1 +Inf", S: "1 +Inf"}, (1.0,), (10, 10)),
    "nobody has it": ({}, None, None),
}


@pytest.mark.parametrize(("edges", "shared", "row"), SHARED.values(), ids=SHARED)
def test_buckets_that_all_pods_share(
    edges: dict[str, str], shared: tuple[float, ...] | None, row: tuple[int, ...] | None
) -> None:
    reader = Reader(InProcess(histograms(**edges)), SCOPE, moment(0), moment(10))
    tallies, found = in_histogram(reader, parse_selector("score_bucket"))
    assert (found and found.edges) == shared
    assert tallies.by_pod.get(NAMES[0]) == row
    assert tallies.left_out == {}


def test_a_histogram_whose_buckets_contradict_each_other_is_left_out() -> None:
    tsdb = histograms(**{C: "1 +Inf", S: "1 +Inf"})
    for at in range(-5, 20):
        tsdb.add(moment(at), "score_bucket", (at + 5) * 9, le="0.5", pod=NAMES[0], namespace="risk")
        tsdb.add(moment(at), "score_bucket", at + 5, le="0.5", pod=NAMES[2], namespace="risk")
    tallies, _ = in_histogram(Reader(InProcess(tsdb), SCOPE, moment(0), moment(10)), parse_selector("score_bucket"))
    assert tallies.left_out == {NAMES[0]: NOT_CUMULATIVE}
    assert tallies.by_pod == {NAMES[2]: (10, 0, 10)}


def test_categories_without_a_name_and_too_many_are_refused() -> None:
    reader = Reader(InProcess(counters((-5, 10, None), (5, 14, 3))), SCOPE, moment(0), moment(10))
    with pytest.raises(BadQuery, match="have no label outcome"):
        in_categories(reader, "http_requests_total", "outcome")
    tsdb = Tsdb()
    for i in range(201):
        tsdb.add(moment(5), "seen_total", 1, pod=NAMES[0], namespace="risk", user=str(i))
    reader = Reader(InProcess(tsdb), SCOPE, moment(0), moment(10))
    with pytest.raises(BadQuery, match="has 201 values, and at most 200"):
        in_categories(reader, "seen_total", "user")


@given(made=pods(exports_start=False), ends=ticks)
def test_without_start_times_never_more_than_what_happened(made: list[Pod], ends: list[float]) -> None:
    tsdb = store(*made)
    blocks = [read(tsdb, start, end) for start, end in itertools.pairwise(ends)]
    for pod in made:
        counted = [block.by_pod.get(pod.name, (0, 0)) for block in blocks]
        assert sum(total for total, _ in counted) <= pod.truth(ends[0], ends[-1])[0]


def test_a_minute_without_prometheus_loses_nothing() -> None:
    pod = Pod(
        name=NAMES[0],
        processes=[Process(start=-50, end=999, requests=requests(-40, 100, 1400, bad_every=20))],
        scrapes=[t for t in regular(-50, 100) if not 10 < t < 70],
    )
    tsdb = store(pod)
    blocks = [read(tsdb, start, start + 10).by_pod[pod.name] for start in range(0, 100, 10)]
    assert blocks[2] == (0, 0)
    assert tuple(map(sum, zip(*blocks, strict=True))) == (1000, 50)


def test_first_errors_count_although_their_series_is_born_with_them() -> None:
    life = Process(
        start=-500, end=999, requests=[Request(at=t) for t in range(-400, 20)] + [Request(at=5.5, status=500)] * 3
    )
    pod = Pod(name=NAMES[0], processes=[life], scrapes=regular(-500, 20), exports_start=False)
    assert read(store(pod), 0, 10).by_pod == {pod.name: (13, 3)}


def counters(*points: tuple[float, int, int | None]) -> Tsdb:
    """Store totals and bad requests of one pod, without ``up`` and start times."""
    tsdb, target = Tsdb(), {"pod": NAMES[0], "namespace": "risk", "instance": "i", "job": "j"}
    for at, total, bad in points:
        tsdb.add(moment(at), "http_requests_total", total - (bad or 0), code="200", **target)
        if bad is not None:
            tsdb.add(moment(at), "http_requests_total", bad, code="500", **target)
    return tsdb


def test_a_counter_that_was_seen_proves_that_its_target_was_scraped() -> None:
    assert read(counters((-5, 10, None), (5, 14, 3)), 0, 10).by_pod == {NAMES[0]: (4, 3)}


def test_a_reset_that_only_the_bad_requests_show_is_walked() -> None:
    tsdb, target = Tsdb(), {"pod": NAMES[0], "namespace": "risk", "instance": "i", "job": "j"}
    for at, total, bad in ((-5, 10, 5), (2, 13, 8), (5, 15, 2), (8, 16, 2)):
        tsdb.add(moment(at), "all_total", total, **target)
        tsdb.add(moment(at), "bad_total", bad, **target)
    reader = Reader(InProcess(tsdb), SCOPE, moment(0), moment(10))
    counters = Counters(total=(parse_selector("all_total"),), bad=(parse_selector("bad_total"),))
    assert together(reader.rates(alike(counters))).by_pod == {NAMES[0]: (6, 5)}


def test_an_old_pod_that_is_seen_for_the_first_time_delivers_nothing_yet() -> None:
    life = Process(start=-5000, end=999, requests=requests(-4000, 20, 4020))
    pod = Pod(name=NAMES[0], processes=[life], scrapes=regular(5, 20))
    tsdb = store(pod)
    first, second = read(tsdb, 0, 10), read(tsdb, 10, 20)
    assert first.by_pod == {}
    assert first.left_out == {pod.name: AGE_UNKNOWN}
    assert second.by_pod == {pod.name: (10, 0)}


def test_a_pod_that_was_created_lately_counts_from_zero_without_start_times() -> None:
    life = Process(start=2, end=999, requests=requests(3, 13, 10))
    pod = Pod(name=NAMES[0], processes=[life], scrapes=regular(5, 20), exports_start=False)
    tsdb = store(pod)
    assert read(tsdb, 0, 10).left_out == {pod.name: AGE_UNKNOWN}
    assert read(tsdb, 0, 10, replace(SCOPE, created={pod.name: moment(1)})).by_pod == {pod.name: (7, 0)}


def test_a_restart_that_outgrows_the_old_count_is_seen_by_its_start_time() -> None:
    lives = [
        Process(start=-20, end=3, requests=[Request(at=1, status=500)] * 3),
        Process(start=4, end=999, requests=[Request(at=25, status=500)] * 5),
    ]
    pod = Pod(name=NAMES[0], processes=lives, scrapes=regular(-20, 40))
    tsdb = store(pod)
    # The new process has no errors for two blocks; the old series' last value is still what is newest at 20.
    assert [read(tsdb, start, start + 10).by_pod[pod.name] for start in (0, 10, 20)] == [(3, 3), (0, 0), (5, 5)]


def test_a_second_restart_within_a_block_is_walked() -> None:
    lives = [Process(start=t, end=t + 4, requests=requests(t, t + 4, 8)) for t in (-9, 1, 6, 11, 16)]
    pod = Pod(name=NAMES[0], processes=lives, scrapes=regular(-9, 30, 0.5), exports_start=False)
    counted = read(store(pod), 0, 30).by_pod[pod.name]
    assert counted == pod.truth(0, 30) == (28, 0)


def test_two_jobs_that_scrape_one_port_count_once() -> None:
    life = Process(start=-50, end=999, requests=requests(-40, 60, 1000, bad_every=10))
    one = Pod(name=NAMES[0], processes=[life], scrapes=regular(-50, 60, 5), job="a-pods")
    other = replace(one, job="b-monitor", scrapes=regular(-50.5, 60))
    assert read(store(one, other), 0, 10).by_pod == read(store(one), 0, 10).by_pod


def test_two_ports_of_a_pod_count_both() -> None:
    life = Process(start=-50, end=999, requests=requests(-40, 60, 1000))
    one = Pod(name=NAMES[0], processes=[life], scrapes=regular(-50, 60))
    other = replace(one, processes=[replace(life, start=-49)], labels={"instance": "sidecar:9090"})
    assert read(store(one, other), 0, 10).by_pod == {one.name: (200, 0)}
    same = replace(one, labels={"instance": "mesh:15020"}, scrapes=regular(-50.5, 60))
    assert read(store(one, same), 0, 10).by_pod == {one.name: (100, 0)}, "one process at two ports"


def test_strangers_in_the_namespace_are_not_counted() -> None:
    life = Process(start=-50, end=999, requests=requests(-40, 60, 1000))
    names = ["fraud-2-bcdfghjklm-5f7c9d-abcde", f"{CANARY}-x-5f7c9d-abcde", "fraud-66b9c-klmno"]
    strangers = [Pod(name=name, processes=[life], scrapes=regular(-50, 60)) for name in names]
    elsewhere = Pod(name=NAMES[0], processes=[life], scrapes=regular(-50, 60), namespace="other")
    assert read(store(*strangers, elsewhere), 0, 10).by_pod == {}


@pytest.mark.parametrize(
    ("bound", "slow", "note"), [(0.25, 20, ""), (0.1, 60, ""), (0.2, 60, "counts requests slower than 0.1 s")]
)
def test_latency_counts_requests_above_the_edge(bound: float, slow: int, note: str) -> None:
    durations = [0.05] * 2 + [0.2] * 2 + [3.0]
    answered = [Request(at=t / 10, seconds=durations[t % 5]) for t in range(-500, 400)]
    pod = Pod(name=NAMES[0], processes=[Process(start=-50, end=999, requests=answered)], scrapes=regular(-50, 40))
    reader = Reader(InProcess(store(pod)), SCOPE, moment(0), moment(10))
    rates, edge = reader.slow(alike(GENERIC.latency), bound)
    assert together(rates).by_pod == {pod.name: (100, slow)}
    assert edge is not None
    assert edge.note.startswith(note)
    assert bool(edge.note) == bool(note)


def test_latency_refuses_a_bound_above_the_largest_bucket() -> None:
    life = Process(start=-50, end=999, requests=requests(-40, 60, 100))
    reader = Reader(
        InProcess(store(Pod(name=NAMES[0], processes=[life], scrapes=regular(-50, 40)))), SCOPE, moment(0), moment(10)
    )
    with pytest.raises(BadQuery, match=r"largest finite bucket of the latency histogram, 0\.25 s"):
        reader.slow(alike(GENERIC.latency), 0.5)


def test_no_question_is_asked_twice() -> None:
    life = Process(start=-50, end=999, requests=requests(-40, 60, 100))
    asks = InProcess(store(Pod(name=NAMES[0], processes=[life], scrapes=regular(-50, 40))))
    reader = Reader(asks, SCOPE, moment(0), moment(10))
    for _ in range(2):
        reader.rates(alike(GENERIC.errors))
        reader.slow(alike(GENERIC.latency), 0.25)
    assert len(asks.asked) == len(set(asks.asked)) == 13
    assert {at for _, at in asks.asked} == {moment(0), moment(10)}
