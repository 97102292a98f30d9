"""Turn counts into events, events into counters, counters into what Prometheus sees of them.

Every scrape of a pod happens at its own phase and a little late or early; some are missed; processes restart and begin
again at zero, and what they counted after their last scrape is lost; pods are replaced by others with new names; while
Prometheus is down nothing is scraped at all. A series exists from its first event on, so that the first error makes a
new one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from serinus.signals.scope import Scope
from support.tsdb import Tsdb

EPOCH = 1_790_000_100
"""Seconds; a multiple of the interval. The rollout begins here."""
NAMESPACE = "risk"
CANARY, STABLE = "fraud-bcdfghjklm", "fraud-zzxxwwvvtt"
TICK = 30.0
_RESTARTING = 3.0
_KEPT_SECONDS = 3600.0
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def moment(seconds: float) -> datetime:
    """Return the time so many seconds after the beginning of the rollout."""
    return datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong between a counter and the judge."""

    scrape_seconds: float = 15.0
    aligned: bool = False
    """All pods are scraped at once, at the beginning of each ``scrape_seconds``; else each has a phase of its own."""
    jitter_seconds: float = 0.0
    misses: float = 0.0
    """Chance that a scrape fails."""
    restart_seconds: float = 0.0
    """Each pod's process restarts so often; 0: never."""
    replace_seconds: float = 0.0
    """Each pod is replaced so often by one with a new name; 0: never."""
    prometheus_down: tuple[float, float] = (0.0, 0.0)
    """Seconds of the rollout between which Prometheus neither scrapes nor answers."""
    operator_down: tuple[float, float] = (0.0, 0.0)
    """Seconds between which the operator does not run; then it starts anew with what it had written."""

    def is_prometheus_down(self, at: float) -> bool:
        """Tell whether Prometheus is down at that second."""
        return self.prometheus_down[0] <= at < self.prometheus_down[1]


class Pod:
    """One pod: its events, the lives of its process, and its scrapes."""

    def __init__(
        self, *, name: str, created: float, gone: float, times: NDArray[np.float64], kinds: NDArray[np.int64]
    ) -> None:
        """Begin with events at ``times`` (seconds, ascending) of ``kinds`` (from 0)."""
        self.name, self.created, self.gone = name, created, gone
        self._times = times
        self._running = np.zeros((len(times) + 1, int(kinds.max(initial=0)) + 1), dtype=np.int64)
        np.add.at(self._running, (np.arange(1, len(times) + 1), kinds), 1)
        np.cumsum(self._running, axis=0, out=self._running)

    def counts(self, since: float, until: float) -> NDArray[np.int64]:
        """Count events by kind in (since, until]."""
        first, last = np.searchsorted(self._times, (since, until), side="right")
        return np.asarray(self._running[last] - self._running[first])


class Fleet:
    """All pods of both sides, and their scraping."""

    def __init__(
        self, counts: NDArray[np.int64], begin: float, canary_pods: int, faults: Faults, rng: np.random.Generator
    ) -> None:
        """Lay events evenly at random into their ticks.

        Args:
            counts: (ticks, pods, kinds) events by kind, the canary's pods first.
            begin: second at which the first of these ticks begins.
            canary_pods: how many pods are the canary's; they start at second 0.
            faults: what goes wrong.
            rng: where in its tick an event falls, and all chance of the faults.
        """
        self._faults, self._rng = faults, rng
        self._begin, self._end = begin, begin + counts.shape[0] * TICK
        self.pods: list[Pod] = []
        self._phases: list[float] = []
        self._next: list[int] = []
        for index in range(counts.shape[1]):
            deployment = CANARY if index < canary_pods else STABLE
            self._start_pods(deployment, index, counts[:, index], 0.0 if index < canary_pods else begin)

    def scope(self, now: float) -> Scope:
        """Return whose series are meant, with the pods that exist now."""
        created = {each.name: moment(each.created) for each in self.pods if each.created <= now < each.gone}
        return Scope(namespace=NAMESPACE, canary=CANARY, stable=STABLE, model="fraud", created=created)

    def scrape_until(self, now: float, tsdb: Tsdb, kinds: tuple[tuple[str, str, str], ...], cumulative: bool) -> None:
        """Scrape all pods up to a second; forget samples older than an hour.

        Args:
            now: second of the rollout.
            tsdb: where samples go.
            kinds: for each kind of event the metric, and a label with its value.
            cumulative: each series counts its kind and all before it (buckets).
        """
        for index, pod in enumerate(self.pods):
            while (at := self._scrape_time(index)) <= min(now, pod.gone):
                self._next[index] += 1
                if at >= pod.created and not self._faults.is_prometheus_down(at):
                    self._scrape(pod, at, tsdb, kinds, cumulative)
        oldest = round((EPOCH + now - _KEPT_SECONDS) * 1000)
        for key, points in list(tsdb.series.items()):
            if points[0][0] < oldest:
                tsdb.series[key] = [each for each in points if each[0] >= oldest]

    def _start_pods(self, deployment: str, index: int, counts: NDArray[np.int64], born: float) -> None:
        every = self._faults.replace_seconds
        when, which = np.nonzero(counts)
        number = counts[when, which]
        ticks, kinds = np.repeat(when, number), np.repeat(which, number)
        times = self._begin + TICK * (ticks + self._rng.random(ticks.size))
        order = np.argsort(times)
        times, kinds = times[order], kinds[order]
        changes = np.arange(born + every * (0.2 + 0.1 * index), self._end, every) if every else np.array([])
        for start, end in zip([born, *changes], [*changes, self._end + TICK], strict=True):
            inside = (times > start) & (times <= end)
            name = f"{deployment}-5f7c9d-{self._suffix()}"
            self.pods.append(Pod(name=name, created=start, gone=end, times=times[inside], kinds=kinds[inside]))
            phase = 0.0 if self._faults.aligned else self._rng.uniform(0.0, self._faults.scrape_seconds)
            self._phases.append(float(start + phase))
            self._next.append(0)

    def _suffix(self) -> str:
        return "".join(_LETTERS[each] for each in self._rng.integers(0, len(_LETTERS), 5))

    def _scrape_time(self, index: int) -> float:
        return self._phases[index] + self._next[index] * self._faults.scrape_seconds

    def _scrape(
        self, pod: Pod, due: float, tsdb: Tsdb, kinds: tuple[tuple[str, str, str], ...], cumulative: bool
    ) -> None:
        at = due + self._rng.uniform(0.0, self._faults.jitter_seconds) if self._faults.jitter_seconds else due
        every = self._faults.restart_seconds
        life = pod.created + (at - pod.created) // every * every if every else pod.created
        missed = self._rng.random() < self._faults.misses
        restarting = bool(every) and life > pod.created and at - life < _RESTARTING
        target = {"namespace": NAMESPACE, "pod": pod.name, "instance": f"{pod.name}:8080", "job": "pods"}
        up = not (missed or restarting)
        tsdb.add(EPOCH + at, "up", float(up), **target)
        if not up:
            return
        tsdb.add(EPOCH + at, "process_start_time_seconds", EPOCH + life, **target)
        counted = pod.counts(life, at)
        if cumulative and counted.sum() == 0:
            return
        values = np.zeros(len(kinds), dtype=np.int64)
        values[: len(counted)] = counted
        for (metric, label, value), number in zip(kinds, (np.cumsum(values) if cumulative else values), strict=True):
            if number or cumulative:
                tsdb.add(EPOCH + at, metric, int(number), **target, **{label: value})
