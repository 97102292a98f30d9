"""What is known about a server under test: how it is started and asked, and how it answers."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from servers.mix import FAILING, GOOD, SLOW, Answer, Request, Sort


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one run of a server has its files and ports."""

    folder: Path
    short: Path
    """A folder with a short path, for sockets."""
    bin: Path
    """Of the server's environment."""
    port: int
    metrics: int
    spare: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What tells that the models are there."""

    path: str
    holds: str = ""


Command = Callable[[Place], Sequence[str | Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server with the models under test."""

    name: str
    preset: str
    packages: str
    """``constraints/server-<packages>.txt``"""
    title: str
    """Name and version of what exports the metrics."""
    command: Command
    body: Callable[[float], object]
    """The JSON that carries one value."""
    path: str
    answer_path: str = "$.prediction"
    """JSONPath of the value in an answer."""
    probe: str
    answers: Mapping[Sort, Answer]
    """The sorts of request that it gets. Where its preset counts nothing of a kind, it cannot give that kind."""
    unknown: str
    neighbour: str = ""
    own_metrics_port: bool = True
    metrics_host: str = "127.0.0.1"
    metrics_path: str = "/metrics"
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables; ``$METRICS`` and the like are filled in."""
    ready: Ready | None = None
    """Otherwise it is ready when its probe answers 200."""
    shows_itself_idle: bool = True
    """Whether it exports anything to recognise it by before its first request."""
    needs: str = ""
    """A program of the machine without which it cannot run."""

    @property
    def version(self) -> str:
        """Return the version that its preset has to say it was tried with."""
        return self.title.rpartition(" ")[2]

    def request(self, sort: Sort) -> Request:
        """Return what is sent for a sort of request."""
        match sort:
            case Sort.PROBE:
                return Request(path=self.probe)
            case Sort.MALFORMED:
                return Request(path=self.path, body=b"{no json")
            case Sort.INVALID:
                return Request(path=self.path, body=b"{}")
            case Sort.UNKNOWN:
                return Request(path=self.unknown, body=self._json(GOOD))
            case Sort.NEIGHBOUR:
                return Request(path=self.neighbour, body=self._json(FAILING))
            case Sort.GOOD | Sort.SLOW | Sort.FAILING:
                value = {Sort.GOOD: GOOD, Sort.SLOW: SLOW, Sort.FAILING: FAILING}[sort]
                return Request(path=self.path, body=self._json(value))

    def _json(self, value: float) -> bytes:
        return json.dumps(self.body(value)).encode()
