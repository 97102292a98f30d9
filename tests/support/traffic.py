"""What servers really counted, what Prometheus saw of it, and what a count of the latter should be."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from serinus.errors import BadQuery
from serinus.prometheus.answers import Matrix, Vector, parse_matrix, parse_vector
from support.tsdb import BadData, Tsdb

EPOCH = 1_790_000_000  # seconds; a multiple of the intervals in use
EDGES = ("0.1", "0.25", "+Inf")


def moment(seconds: float) -> datetime:
    """Return the time so many seconds after the test's beginning."""
    return datetime.fromtimestamp(EPOCH + seconds, UTC)


@dataclass(frozen=True)
class Request:
    """One answered request."""

    at: float
    status: int = 200
    seconds: float = 0.05


@dataclass(frozen=True)
class Process:
    """One life of a pod's container."""

    start: float
    end: float
    requests: Sequence[Request] = ()

    def until(self, at: float) -> list[Request]:
        return [each for each in self.requests if self.start <= each.at <= min(at, self.end)]


class Tally:
    """What a process has counted so far; a scrape adds what came since the one before, in order of time."""

    def __init__(self, process: Process) -> None:
        self._coming = sorted(process.until(process.end), key=lambda each: -each.at)
        self.statuses = Counter[int]()
        self.durations = Counter[float]()

    def advance(self, at: float) -> None:
        while self._coming and self._coming[-1].at <= at:
            request = self._coming.pop()
            self.statuses[request.status] += 1
            self.durations[request.seconds] += 1


@dataclass(frozen=True)
class Pod:
    """A pod's processes, one after the other, and the times at which Prometheus tried to scrape it."""

    name: str
    processes: Sequence[Process]
    scrapes: Sequence[float] = field(repr=False)
    namespace: str = "risk"
    job: str = "pods"
    exports_start: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    def process_at(self, at: float) -> Process | None:
        return next((each for each in self.processes if each.start <= at < each.end), None)

    def scrape_into(self, tsdb: Tsdb) -> None:
        target = {"pod": self.name, "namespace": self.namespace, "instance": f"{self.name}:8080", "job": self.job}
        target |= self.labels
        tallies = {id(process): Tally(process) for process in self.processes}
        for at in sorted(self.scrapes):
            process, now = self.process_at(at), EPOCH + at
            tsdb.add(now, "up", 1.0 if process else 0.0, **target)
            if process is None:
                continue
            if self.exports_start:
                tsdb.add(now, "process_start_time_seconds", EPOCH + process.start, **target)
            tally = tallies[id(process)]
            tally.advance(at)
            for status, n in sorted(tally.statuses.items()):
                tsdb.add(now, "http_requests_total", n, status=str(status), path="/predict", **target)
            for edge in EDGES if tally.statuses else ():
                n = sum(count for seconds, count in tally.durations.items() if seconds <= float(edge))
                tsdb.add(now, "http_request_duration_seconds_bucket", n, le=edge, **target)

    def truth(self, start: float, end: float) -> tuple[int, int]:
        """Return total and bad increments that scrapes after ``start``, until ``end``, brought to light."""
        good, bad = self.tally(start, end, lambda request: int(request.status >= 500), 2)
        return good + bad, bad

    def in_buckets(self, start: float, end: float) -> tuple[int, ...]:
        """Return the same per bucket of the durations, not cumulative."""
        edges = [float(edge) for edge in EDGES]
        return self.tally(start, end, lambda it: next(i for i, edge in enumerate(edges) if it.seconds <= edge), 3)

    def tally(self, start: float, end: float, group: Callable[[Request], int], size: int) -> tuple[int, ...]:
        found = [0] * size
        for process in self.processes:
            seen = [at for at in self.scrapes if at <= end and process.start <= at < process.end]
            before = process.until(max((at for at in seen if at <= start), default=float("-inf")))
            for request in process.until(max(seen, default=float("-inf")))[len(before) :]:
                found[group(request)] += 1
        return tuple(found)


class InProcess:
    """Answers queries from a Tsdb without HTTP, and remembers them."""

    def __init__(self, tsdb: Tsdb) -> None:
        self.tsdb = tsdb
        self.asked: list[tuple[str, datetime]] = []

    def instant(self, query: str, at: datetime) -> Vector:
        return parse_vector(self._ask(query, at))

    def matrix(self, query: str, at: datetime) -> Matrix:
        return parse_matrix(self._ask(query, at))

    def _ask(self, query: str, at: datetime) -> object:
        self.asked.append((query, at))
        try:
            kind, result = self.tsdb.query(query, at.timestamp())
        except BadData as error:
            raise BadQuery(str(error)) from error
        return {"status": "success", "data": {"resultType": kind, "result": result}}
