"""A whole small world for reconcile tests: API server, pods, users' traffic and Prometheus, moved second by second.

Everything of ours is real; the world around it is imitated, and nothing here waits.
"""

import contextlib
import copy
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from serinus import contract
from serinus.cluster.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, POD, ROLLOUT_REPORT, SERVICE, Manifest
from serinus.controller.admitting import Admission
from serinus.controller.artifacts import Fetching
from serinus.controller.cache import WatchCache
from serinus.controller.gating import Gatekeeper
from serinus.controller.judging import Judge
from serinus.controller.reconcile import Reconciler
from serinus.errors import BadQuery, ClusterUnavailable, Conflict, MetricsUnavailable
from serinus.gates.answers import Answer
from serinus.gates.send import Target
from serinus.prometheus.answers import Matrix, Vector
from serinus.rollout.decide import Note
from serinus.rollout.fetching import FetchImage
from serinus.rollout.smoke import GateRequest
from serinus.signals.samples import Sample, Track
from support.fake_cluster import FakeCluster
from support.fake_pods import Fault

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMESPACE = "risk"
DELAY = timedelta(seconds=1)


OUTCOMES = "serinus_outcomes_total"


@dataclass
class Counters:
    """What one pod's server has counted, over time."""

    revision: str
    born: datetime
    history: list[tuple[datetime, float, float]] = field(default_factory=list)

    def at(self, when: datetime) -> tuple[float, float] | None:
        return next(((total, bad) for at, total, bad in reversed(self.history) if at <= when), None)


class FakePrometheus:
    """Answers the few forms of queries that signals/ writes, from the pods' counters."""

    def __init__(self) -> None:
        self.pods: dict[str, Counters] = {}
        self.down = False
        self.asked = 0
        self.refuses_names = False
        """It lets nobody ask for names of metrics."""
        self.exports: dict[str, tuple[str, ...]] = {}
        """Names of further metrics that a revision's pods export."""
        self.edges: dict[str, tuple[str, ...]] = {}
        """Labels of a revision's latency buckets."""
        self.renamed: set[str] = set()
        """Revisions whose servers call the status by another name."""
        self.every_seconds = 1
        """All pods are scraped at the multiples of this since the epoch."""
        self.predicted: dict[str, list[tuple[datetime, float, float]]] = {}
        """By revision, the predictions until then, and how many of them were wrong."""
        self.labels_after: timedelta | None = None
        """So long after a prediction its truth is known, and told to the oldest pod of all; None: never."""

    def instant(self, query: str, at: datetime) -> Vector:
        self.asked += 1
        if self.down:
            raise MetricsUnavailable("Prometheus does not answer: connection refused; check that it runs")
        if self.refuses_names and "(pod, __name__)" in query:
            raise BadQuery("a matcher on __name__ is not allowed")
        if query.startswith("count by (pod, "):
            return Vector(samples=tuple(self._counted(query)))
        if query.startswith(("(", "changes(", "resets(")):
            return Vector(samples=())
        return Vector(samples=tuple(sample for pod in self.pods for sample in self._of_pod(pod, query, at)))

    def _counted(self, query: str) -> Iterator[Sample]:
        """Answer which metrics, or which buckets, pods export."""
        label, of_revision = ("__name__", self.exports) if "(pod, __name__)" in query else ("le", self.edges)
        for pod, counters in self.pods.items():
            for value in of_revision.get(counters.revision, ()):
                if re.search(rf"\b{counters.revision}-", query) and (label == "le" or value in query):
                    yield Sample(labels={"pod": pod, label: value}, value=1.0)

    def matrix(self, query: str, at: datetime) -> Matrix:
        self.asked += 1
        past = re.search(r"\[(\d+)s:(\d+)s\]$", query)
        if past is None:
            raise AssertionError(f"no counter was reset, so nothing needs walking: {query}")
        length, step = map(int, past.groups())
        begin = int(at.timestamp() - length) // step * step + step
        tracks: dict[frozenset[tuple[str, str]], list[tuple[datetime, float]]] = {}
        for seconds in range(begin, int(at.timestamp()) + 1, step):
            instant = datetime.fromtimestamp(seconds, UTC)
            for pod in self.pods:
                for sample in self._of_pod(pod, query, instant) if pod in query else []:
                    tracks.setdefault(frozenset(sample.labels.items()), []).append((instant, sample.value))
        return Matrix(
            tracks=tuple(Track(labels=dict(labels), points=tuple(points)) for labels, points in tracks.items())
        )

    def _scrape_before(self, at: datetime) -> datetime:
        return datetime.fromtimestamp(at.timestamp() // self.every_seconds * self.every_seconds, UTC)

    def _of_pod(self, pod: str, query: str, at: datetime) -> list[Sample]:
        counters, at = self.pods[pod], self._scrape_before(at)
        values = counters.at(at)
        labels = {"namespace": NAMESPACE, "pod": pod, "job": "pods", "instance": f"{pod}:8080"}
        if values is None:
            return []
        if "serinus_" in query:
            return self._outcomes(query, at, labels) if pod == next(iter(self.pods)) else []
        if query.startswith("timestamp(up"):
            return [Sample(labels=labels, value=at.timestamp())]
        if "process_start_time_seconds" in query:
            return [
                Sample(labels={**labels, "__name__": "up"}, value=1.0),
                Sample(labels={**labels, "__name__": "process_start_time_seconds"}, value=counters.born.timestamp()),
            ]
        total, bad = values
        if counters.revision in self.renamed:
            return [] if "5.." in query else [Sample(labels={**labels, "http_status": "any"}, value=total)]
        series = [("500", bad)] if "5.." in query else [("200", total - bad), ("500", bad)]
        return [Sample(labels={**labels, "status": code}, value=value) for code, value in series if value > 0]

    def _outcomes(self, query: str, at: datetime, labels: dict[str, str]) -> list[Sample]:
        """Answer how many predictions of a revision turned out to be right and wrong; no series before the first."""
        if self.labels_after is None or not query.startswith(OUTCOMES, query.find("serinus_")):
            return []
        revision = re.search(r'revision="(\w+)"', query)
        history = self.predicted.get(revision[1], []) if revision else []
        told = bisect_right(history, at - self.labels_after, key=lambda each: each[0])
        if not told:
            return []
        _, total, wrong = history[told - 1]
        counted = {"wrong": wrong} if 'result="wrong"' in query else {"right": total - wrong, "wrong": wrong}
        return [Sample(labels={**labels, "result": result}, value=value) for result, value in counted.items()]


class Told:
    """Keeps the Events that were told."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def record(self, body: Any, notes: tuple[Note, ...]) -> None:
        self.notes += notes

    def reasons(self) -> list[str]:
        return [each.reason for each in self.notes]


class World:
    """A cluster with one operator, users and a Prometheus."""

    def __init__(self, rate: float = 20.0) -> None:
        self.now = START
        self.rate = rate
        self.error_share: dict[str, float] = {}
        self.wrong_share: dict[str, float] = {}
        """By revision, the share of predictions that the truth contradicts."""
        self.pull: dict[str, float] = {}
        """By revision, how many times the requests of an ordinary pod its pods draw; 1 if absent."""
        self.cluster = FakeCluster(lambda: self.now)
        self.prometheus = FakePrometheus()
        self.told = Told()
        self.replies: dict[str, Callable[[GateRequest], Answer]] = {}
        """By revision, what its pods answer to the requests of a gate; 200 and ``{}`` if absent."""
        self.asked: list[tuple[str, GateRequest, str]] = []
        """Pod, request and identity of each request of a gate."""
        self.fetching = Fetching(image=FetchImage(name="serinus:1"))
        self.restart()

    def restart(self) -> None:
        """Begin anew with an empty memory, as a restarted operator does."""
        self.cache = WatchCache()
        for kind in (MODEL_DEPLOYMENT, DEPLOYMENT, SERVICE):
            for obj in self.cluster.list(kind, ""):
                self.cache.put(obj)
        self.cluster._subscribers.clear()
        self.cluster.subscribe(self._event)
        self.reconciler = Reconciler(
            cluster=self.cluster,
            cache=self.cache,
            judge=Judge(self.prometheus, DELAY),
            admission=Admission(self.prometheus, DELAY),
            gates=Gatekeeper(send=self.answer, start=lambda work: work()),
            tell=self.told.record,
            clock=lambda: self.now,
            fetching=self.fetching,
        )

    def _event(self, type_: str, obj: Manifest) -> None:
        if obj["kind"] in {"ModelDeployment", "Deployment", "Service"}:
            self.cache.drop(obj) if type_ == "DELETED" else self.cache.put(obj)

    # --- people -------------------------------------------------------------------------------------------------

    def apply(self, body: Manifest) -> None:
        held = self.cluster.get(MODEL_DEPLOYMENT, NAMESPACE, body["metadata"]["name"])
        body = copy.deepcopy(body)
        if held is not None:
            body["metadata"]["annotations"] = {
                **(held["metadata"].get("annotations") or {}),
                **(body["metadata"].get("annotations") or {}),
            }
            body["status"] = held.get("status") or {}
        self.cluster.put(body)

    def annotate(self, name: str, command: str, value: str) -> None:
        patch = {"metadata": {"annotations": {f"serinus.dev/{command}": value}}}
        self.cluster.edit(MODEL_DEPLOYMENT, NAMESPACE, name, patch)

    # --- time ---------------------------------------------------------------------------------------------------

    def reconcile(self, name: str = "fraud") -> timedelta | None:
        return self.reconciler.reconcile(NAMESPACE, name)

    def run(self, seconds: int, name: str = "fraud") -> None:
        """Let so many seconds pass; the operator looks each second, as if woken for no reason."""
        for _ in range(seconds):
            self.step(name)

    def run_until(self, condition: Any, limit: int = 600, name: str = "fraud") -> int:
        """Let time pass until something holds; return the seconds it took."""
        for passed in range(limit):
            if condition(self):
                return passed
            self.step(name)
        raise AssertionError(f"not within {limit} s; status: {self.status(name)}; told: {self.told.reasons()}")

    def step(self, name: str = "fraud") -> None:
        self.now += timedelta(seconds=1)
        self.cluster.settle()
        self.traffic(name)
        with contextlib.suppress(Conflict, ClusterUnavailable):  # the queue would come back
            self.reconcile(name)

    def traffic(self, name: str) -> None:
        """Send a second of users' requests to the pods that the main Service selects."""
        service = self.cluster.get(SERVICE, NAMESPACE, name)
        selector = service["spec"]["selector"] if service else {"none": "none"}
        chosen = [pod for pod in self.cluster.list(POD, NAMESPACE, selector) if _is_ready(pod)]
        for pod in self.cluster.list(POD, NAMESPACE, {contract.LABEL_MANAGED_BY: contract.MANAGED_BY}):
            pod_name, revision = pod["metadata"]["name"], pod["metadata"]["labels"][contract.LABEL_REVISION]
            born = self.now
            counters = self.prometheus.pods.setdefault(pod_name, Counters(revision=revision, born=born))
            total, bad = counters.history[-1][1:] if counters.history else (0.0, 0.0)
            if pod in chosen:
                drawn = self.rate * self.pull.get(revision, 1.0) / len(chosen)
                total += drawn
                bad += drawn * self.error_share.get(revision, 0.0)
                self._predict(revision, drawn)
            counters.history.append((self.now, total, bad))
        for counters in self.prometheus.pods.values():
            counters.history[:] = counters.history[-700:]

    def _predict(self, revision: str, requests: float) -> None:
        history = self.prometheus.predicted.setdefault(revision, [])
        _, total, wrong = history[-1] if history else (self.now, 0.0, 0.0)
        history.append((self.now, total + requests, wrong + requests * self.wrong_share.get(revision, 0.0)))

    def answer(self, target: Target, request: GateRequest, identity: str, timeout_seconds: float) -> Answer:
        """Answer a request of a gate as a pod does, which counts it as any other."""
        pod = self.cluster.get(POD, NAMESPACE, target.pod)
        assert pod is not None
        revision = pod["metadata"]["labels"][contract.LABEL_REVISION]
        self.asked.append((target.pod, request, identity))
        answer = self.replies.get(revision, _fine)(request)
        counters = self.prometheus.pods.setdefault(target.pod, Counters(revision=revision, born=self.now))
        total, bad = counters.history[-1][1:] if counters.history else (0.0, 0.0)
        counters.history.append((self.now, total + 1, bad + (answer.status >= 500)))
        return answer

    # --- looking ------------------------------------------------------------------------------------------------

    def body(self, name: str = "fraud") -> Manifest:
        found = self.cluster.get(MODEL_DEPLOYMENT, NAMESPACE, name)
        assert found is not None
        return found

    def status(self, name: str = "fraud") -> dict[str, Any]:
        return self.body(name).get("status") or {}

    def condition(self, type_: str, name: str = "fraud") -> dict[str, Any]:
        return next((each for each in self.status(name).get("conditions", []) if each["type"] == type_), {})

    def reports(self) -> list[Manifest]:
        return self.cluster.list(ROLLOUT_REPORT, NAMESPACE)

    def selected(self, name: str = "fraud") -> str | None:
        """Return the revision that the main Service selects, None for all."""
        service = self.cluster.get(SERVICE, NAMESPACE, name)
        assert service is not None
        return service["spec"]["selector"].get(contract.LABEL_REVISION)

    def pods_of(self, revision: str) -> list[str]:
        pods = self.cluster.list(POD, NAMESPACE, {contract.LABEL_REVISION: revision})
        return sorted(pod["metadata"]["uid"] for pod in pods)

    def fail(self, revision: str, fault: Fault) -> None:
        self.cluster.pods.faults[revision] = fault


def _fine(_: GateRequest) -> Answer:
    return Answer(status=200, body="{}", milliseconds=1)


def _is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def model_deployment(image: str = "model:1", *, name: str = "fraud", **spec: Any) -> Manifest:
    """Return a small ModelDeployment with quick ticks; keywords replace fields of its spec."""
    return {
        "apiVersion": contract.API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 3,
            "runtime": "generic",
            "template": {"spec": {"containers": [{"name": "model", "image": image}]}},
            "service": {"port": 80},
            "traffic": {"split": "Replicas"},
            "rollout": {"steps": [{"weight": 25, "atLeast": "10s"}, {"weight": 50}], "maxWait": "10m"},
            "analysis": {"interval": "5s"},
            **spec,
        },
    }
