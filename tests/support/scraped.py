"""Counters of one canary pod and one stable pod, as Prometheus has them after a minute of steady traffic."""

from serinus.signals.scope import Scope
from support.traffic import moment
from support.tsdb import Tsdb

C1, S1 = "fraud-bcdfghjklm-5f7c9d-abcde", "fraud-zzxxwwvvtt-66b9c-klmno"
CANARY, STABLE = "bcdfghjklm", "zzxxwwvvtt"
SCOPE = Scope(namespace="risk", canary=f"fraud-{CANARY}", stable=f"fraud-{STABLE}", model="fraud")


class Scraped:
    """Counters of two pods, scraped each second: each grows by so many a second."""

    def __init__(self) -> None:
        self.tsdb = Tsdb()
        for pod in (C1, S1):
            for at in range(-20, 40):
                self.tsdb.add(moment(at), "up", 1, **self.target(pod))
                self.tsdb.add(moment(at), "process_start_time_seconds", moment(-9999).timestamp(), **self.target(pod))

    @staticmethod
    def target(pod: str) -> dict[str, str]:
        return {"pod": pod, "namespace": "risk", "instance": f"{pod}:8080", "job": "pods"}

    def counter(self, pod: str, name: str, each_second: float, start: float = 0.0, **labels: str) -> "Scraped":
        for at in range(-20, 40):
            value = start + (at + 20) * each_second
            self.tsdb.add(moment(at), name, value, **self.target(pod), **labels)
        return self

    def histogram(self, pod: str, name: str, rows: dict[str, float], **labels: str) -> "Scraped":
        total = 0.0
        for le, each_second in rows.items():
            total += each_second
            self.counter(pod, f"{name}_bucket", total, le=le, **labels)
        return self
