"""Our queries on a real Prometheus: it understands them, and the small one in ``support.tsdb`` answers the same.

Runs when SERINUS_TEST_PROMETHEUS names a ``prometheus`` binary. Samples of the past are pushed in over OTLP, so that no
test waits for a scrape.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from serinus.controller.past import read_past
from serinus.errors import BadQuery, MetricsUnavailable
from serinus.prometheus.client import Prometheus
from serinus.prometheus.reader import Reader
from serinus.rollout.types import RolloutPlan, Signal, SignalAction, SignalKind
from serinus.signals import queries
from serinus.signals.detection import looked_for
from serinus.signals.placeholders import ALL, MODEL, filled
from serinus.signals.presets import Distribution, Histogram, all_presets, preset
from serinus.signals.samples import Sample
from serinus.signals.scope import BySide, Side, alike
from serinus.signals.selectors import parse_selector
from serinus.signals.views import View
from support import traffic
from support.scraped import C1, S1, SCOPE, Scraped
from support.scraped import CANARY as CANARY_REVISION
from support.scraped import STABLE as STABLE_REVISION
from support.traffic import InProcess, Pod, Process, Request
from support.tsdb import Tsdb

BINARY = os.environ.get("SERINUS_TEST_PROMETHEUS", "")
pytestmark = pytest.mark.skipif(not BINARY, reason="SERINUS_TEST_PROMETHEUS names no prometheus binary")

CANARY, STABLE = SCOPE.canary, SCOPE.stable
GENERIC = preset("generic").bound_to("fraud")
STATUSES = Distribution(categories=parse_selector("http_requests_total"), label="status")


def learning(name: str, kind: SignalKind, **more: object) -> Signal:
    return Signal(name=name, kind=kind, action=SignalAction.ROLLBACK, **more)


LEARNING = RolloutPlan(
    steps=(),
    interval=timedelta(seconds=5),
    signals=(
        learning("errors", SignalKind.ERRORS),
        learning("slow", SignalKind.LATENCY, bound_seconds=0.2),
        learning("durations", SignalKind.LATENCY),
        learning("outcomes", SignalKind.PREDICTION_DRIFT, categories="http_requests_total", label="status"),
        learning("load", SignalKind.COMPARISON, query="sum(last_over_time(http_requests_total{$selector}[10m]))"),
    ),
)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a Prometheus on a free loopback port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "prometheus.yml").write_text("storage: {tsdb: {out_of_order_time_window: 2h}}\n")
    flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([BINARY, *flags, "--web.enable-otlp-receiver"], cwd=folder, stderr=log, stdout=log)
    try:
        deadline = time.monotonic() + 30
        while not _ready(address):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def _ready(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/-/ready", timeout=2).ok
    except requests.ConnectionError:
        return False


def push(url: str, tsdb: Tsdb) -> None:
    """Store all samples with their own times."""
    metrics = []
    for key, points in tsdb.series.items():
        labels = dict(key)
        name = labels.pop("__name__")
        attributes = [{"key": label, "value": {"stringValue": value}} for label, value in labels.items()]
        data = [{"attributes": attributes, "timeUnixNano": str(t * 1_000_000), "asDouble": v} for t, v in points]
        metrics.append({"name": name, "gauge": {"dataPoints": data}})
    body = {"resourceMetrics": [{"resource": {"attributes": []}, "scopeMetrics": [{"metrics": metrics}]}]}
    answer = requests.post(f"{url}/api/v1/otlp/v1/metrics", json=body, timeout=20)
    assert answer.status_code == 200, answer.text


def busy(start: float, end: float, bad_every: int) -> list[Request]:
    n = int((end - start) * 10)
    statuses = [500 if i % bad_every == 0 else 200 for i in range(n)]
    return [Request(at=start + (i + 0.5) / 10, status=s, seconds=0.02 * (i % 20)) for i, s in enumerate(statuses)]


def scrapes(start: int, end: int, *, but: range = range(0)) -> list[float]:
    return [at + 0.25 for at in range(start, end) if at not in but]


def life(start: float, end: float, bad_every: int) -> Process:
    return Process(start=start, end=end, requests=busy(start, min(end, 130), bad_every))


PODS = [
    Pod(
        name=f"{CANARY}-5f7c9d-abcde",
        processes=[life(-30, 18, 3), life(21, 55, 4), life(57, 999, 5)],
        scrapes=scrapes(-30, 130),
    ),
    Pod(name=f"{CANARY}-5f7c9d-fghij", processes=[life(33, 72, 7)], scrapes=scrapes(33, 90)),
    Pod(name=f"{STABLE}-66b9c-klmno", processes=[life(-5000, 999, 500)], scrapes=scrapes(-100, 130, but=range(40, 80))),
    Pod(name="other-66b9c-klmno", processes=[life(-50, 999, 500)], scrapes=scrapes(-50, 130)),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, InProcess]]:
    patch = pytest.MonkeyPatch()
    patch.setattr(traffic, "EPOCH", int(time.time()) // 30 * 30 - 600)  # Prometheus takes samples of the last hour
    tsdb = Tsdb()
    for pod in PODS:
        pod.scrape_into(tsdb)
    with running(tmp_path_factory.mktemp("prometheus")) as url, Prometheus(url) as prometheus:
        push(url, tsdb)
        yield prometheus, InProcess(tsdb)
    patch.undo()


BLOCKS = [(0, 10), (10, 20), (20, 30), (30, 60), (60, 70), (70, 120)]


@pytest.mark.parametrize(("start", "end"), BLOCKS)
def test_the_real_one_answers_like_the_small_one(both: tuple[Prometheus, InProcess], start: int, end: int) -> None:
    real, small = both
    known = len(small.asked)
    told = []
    for asks in both:
        reader = Reader(asks, SCOPE, traffic.moment(start), traffic.moment(end))
        told.append(
            (
                reader.rates(alike(GENERIC.errors)),
                reader.slow(alike(GENERIC.latency), 0.2),
                reader.histogram(alike(GENERIC.latency)),
                reader.categories(alike(STATUSES)),
                reader.values("sum(last_over_time(http_requests_total{$selector}[10m]))", Side.STABLE),
                read_past(LEARNING, alike(View(server=GENERIC)), "fraud", reader),
            )
        )
    assert str(told[0]) == str(told[1])  # as text, because a NaN does not equal itself
    assert told[0][0].canary.by_pod
    assert len(told[0][5]) >= 6
    assert {name for tick in told[0][5] for name in tick.measurements} == {each.name for each in LEARNING.signals}
    for query, at in small.asked[known:]:
        if query.endswith("]"):
            assert _by_labels(real.matrix(query, at).tracks) == _by_labels(small.matrix(query, at).tracks), query
        else:
            assert _by_labels(real.instant(query, at).samples) == _by_labels(small.instant(query, at).samples), query


def test_all_blocks_together_are_the_truth(both: tuple[Prometheus, InProcess]) -> None:
    real, _ = both
    for pod in PODS[:3]:
        counts = [
            Reader(real, SCOPE, traffic.moment(start), traffic.moment(end))
            .rates(alike(GENERIC.errors))
            .of(SCOPE.side_of(pod.name))
            .by_pod.get(pod.name, (0, 0))
            for start, end in BLOCKS
        ]
        assert tuple(map(sum, zip(*counts, strict=True))) == pod.truth(0, 120)


def unlike() -> Tsdb:
    """Store what two sides export that are read by presets of their own, by labels and by two metrics."""
    scraped = Scraped()
    for pod, success, failure in ((C1, 7, 3), (S1, 20, 1)):
        scraped.counter(pod, "nv_inference_request_success", success, model="fraud")
        scraped.counter(pod, "nv_inference_request_failure", failure, model="fraud")
        for revision in (CANARY_REVISION, STABLE_REVISION):
            for result in ("right", "wrong"):
                labels = {"model": "fraud", "revision": revision, "result": result}
                scraped.counter(pod, "serinus_outcomes_total", failure, **labels)
        scraped.counter(pod, "drift_p_value", 0, start=0.01)
    scraped.histogram(S1, "old_ms", {"100": 9, "250": 6, "+Inf": 1})
    scraped.histogram(C1, "new_seconds", {"0.1": 3, "0.25": 2, "+Inf": 1})
    return scraped.tsdb


OUTCOMES = preset("instrument").bound_to("fraud").accuracy
TRITON = preset("triton").bound_to("fraud").errors
UNITS = BySide(
    canary=Histogram(buckets=(parse_selector("new_seconds_bucket"),), seconds_per_unit=1.0),
    stable=Histogram(buckets=(parse_selector("old_ms_bucket"),), seconds_per_unit=0.001),
)
P_VALUE = Signal(
    name="p",
    kind=SignalKind.QUERY,
    action=SignalAction.HOLD,
    query='min(drift_p_value{pod!="{x}",$selector}) + 0 * count(up{$selector})',
    max_age_seconds=60.0,
)


def test_unlike_sides_are_counted_alike_by_both(both: tuple[Prometheus, InProcess], tmp_path: Path) -> None:
    tsdb = unlike()
    with running(tmp_path) as url, Prometheus(url) as prometheus:
        push(url, tsdb)
        told = []
        for asks in (prometheus, InProcess(tsdb)):
            reader = Reader(asks, SCOPE, traffic.moment(15), traffic.moment(25))
            told.append(
                {
                    "added": reader.rates(alike(TRITON)),
                    "by label": reader.rates(alike(OUTCOMES)),
                    "slow": reader.slow(UNITS, 0.25)[0],
                    "buckets": reader.histogram(UNITS),
                    "models": (
                        reader.models_of_stable(preset("triton").errors.total),
                        reader.has_counted(TRITON.total),
                    ),
                    "names": reader.exported(looked_for()),
                    "age": reader.age(P_VALUE, Side.CANARY),
                    "late": Reader(asks, SCOPE, traffic.moment(15), traffic.moment(80)).age(P_VALUE, Side.CANARY),
                }
            )
    real, small = told
    assert real == small
    assert real["added"].canary.by_pod == {C1: (100, 30)}
    assert real["by label"].canary.by_pod == {C1: (60, 30), S1: (20, 10)}
    assert real["slow"].canary.by_pod == {C1: (60, 10)}
    assert real["slow"].stable.by_pod == {S1: (160, 10)}
    assert real["buckets"][0].stable.by_pod == {S1: (90, 60, 10)}
    assert real["models"] == (("fraud",), True)
    assert real["names"].canary == {"nv_inference_request_success"}
    assert real["age"].total_seconds() == 0
    assert real["late"].total_seconds() == 41


def test_times_of_scrapes_are_those_of_a_real_prometheus(both: tuple[Prometheus, InProcess]) -> None:
    query = queries.scraped_at(SCOPE)
    for seconds in (5, 15.5, 40, 62):
        real, small = (sorted_samples(asks.instant(query, traffic.moment(seconds)).samples) for asks in both)
        assert real == small
        assert all(value == 0 or 0 <= traffic.moment(seconds).timestamp() - value < 300 for _, value in real)
    assert real, "pods are scraped at all"


def sorted_samples(samples: Sequence[Sample]) -> list[tuple[list[tuple[str, str]], float]]:
    return sorted((sorted(each.labels.items()), each.value) for each in samples)


def test_a_selector_with_every_kind_of_character_is_understood(both: tuple[Prometheus, InProcess]) -> None:
    value = "".join(map(chr, range(1, 128))) + "ü☃"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    selector = parse_selector(f'up{{x="{escaped}"}}')
    assert selector.matchers[0].value == value
    assert both[0].instant(queries.newest(queries.of_pods((selector,), SCOPE)), datetime.now(UTC)).samples == ()


def test_every_selector_of_every_preset_is_understood(both: tuple[Prometheus, InProcess]) -> None:
    names = dict.fromkeys(ALL, 'a"b\\c.d+$service')
    for known in all_presets().values():
        for selector in known.bound_to(names[MODEL]).selectors():
            query = queries.newest([filled(selector, names)])
            assert not both[0].instant(query, traffic.moment(0)).warnings


def test_a_wrong_query_is_bad_and_a_stopped_server_unavailable(
    both: tuple[Prometheus, InProcess], tmp_path: Path
) -> None:
    with pytest.raises(BadQuery, match="parse error"):
        both[0].instant("sum(", datetime.now(UTC))
    with running(tmp_path) as url:
        prometheus = Prometheus(url)
    with prometheus, pytest.raises(MetricsUnavailable):
        prometheus.instant("up", datetime.now(UTC))


def _by_labels(entries):
    named = {frozenset(each.labels.items()): each for each in entries}
    return {key: each.points if hasattr(each, "points") else each.value for key, each in named.items()}
