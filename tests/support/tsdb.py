"""A small Prometheus: stored samples, the part of PromQL that Serinus asks, and the query API over real HTTP.

Its evaluator is compared with a real Prometheus in ``tests/prometheus/test_real.py``.
"""

import bisect
import functools
import itertools
import json
import operator
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
Matcher = tuple[str, str, str]


class Range(dict[Labels, list[tuple[int, float]]]):
    """A range vector, which may be empty."""


TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<duration>\d+(?:ms|s|m))(?![a-z0-9])|(?P<number>\d+(?:\.\d+)?)'
    r"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<mark>=~|!~|!=|[-*>=(){}\[\],]))"
)
OVER_TIME = ("last_over_time", "resets", "changes", "max_over_time")
AGGREGATES = ("max", "min", "sum", "count")
MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000}


class Unavailable(Exception):
    """Prometheus is down."""


class BadData(Exception):
    """The query is wrong."""


class Tsdb:
    """Series of samples, and PromQL over them."""

    def __init__(self) -> None:
        self.series = Range()
        self._chosen: dict[tuple[Matcher, ...], list[Labels]] = {}
        self._chosen_of: tuple[Range, int] = (self.series, 0)

    def choose(self, matchers: tuple[Matcher, ...]) -> list[Labels]:
        """Return the series that meet them all; remembered until there are more series, or others."""
        if self._chosen_of[0] is not self.series or self._chosen_of[1] != len(self.series):
            self._chosen, self._chosen_of = {}, (self.series, len(self.series))
        if matchers not in self._chosen:
            meeting = [key for key in self.series if all(_meets(dict(key), *each) for each in matchers)]
            self._chosen[matchers] = meeting
        return self._chosen[matchers]

    def add(self, at: datetime | float, name: str, value: float, **labels: str) -> None:
        """Store a sample; times must not go back within a series."""
        seconds = at.timestamp() if isinstance(at, datetime) else at
        key = tuple(sorted({"__name__": name, **labels}.items()))
        self.series.setdefault(key, []).append((round(seconds * 1000), float(value)))

    def query(self, text: str, at_seconds: float) -> tuple[str, object]:
        """Return result type and result, as the API has them."""
        at = round(at_seconds * 1000)
        value = _Evaluation(self, text, at).value()
        if isinstance(value, float):
            return "scalar", [at / 1000, _text(value)]
        if isinstance(value, Range):
            tracks = [
                {"metric": dict(key), "values": [[t / 1000, _text(v)] for t, v in points]}
                for key, points in value.items()
            ]
            return "matrix", tracks
        return "vector", [{"metric": dict(key), "value": [at / 1000, _text(v)]} for key, v in value.items()]


class _Evaluation:
    """One query at one instant: recursive descent, evaluated while it is read.

    What a part of a query is, a scalar, a vector or a range, is known only when it was read: hence Any.
    """

    def __init__(self, tsdb: Tsdb, text: str | list[tuple[str, str]], at: int) -> None:
        self.tsdb, self.at = tsdb, at
        self.tokens: list[tuple[str, str]] = []
        if not isinstance(text, str):
            self.tokens = list(text)
            return
        position = 0
        while text[position:].strip():
            match = TOKEN.match(text, position)
            if match is None:
                raise BadData(f"unexpected {text[position:]!r}")
            self.tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            position = match.end()

    def value(self) -> Any:
        result = self.union()
        if self.tokens:
            raise BadData(f"too much: {self.tokens}")
        return result

    def peek(self) -> str:
        return self.tokens[0][1] if self.tokens else ""

    def take(self, expected: str | None = None) -> str:
        if not self.tokens or (expected is not None and self.peek() != expected):
            raise BadData(f"expected {expected}, found {self.peek()!r}")
        return self.tokens.pop(0)[1]

    def union(self) -> Any:
        result = self.comparison()
        while self.peek() == "or":
            self.take()
            other = self.comparison()
            seen = {_unnamed(key) for key in result}
            result = result | {key: v for key, v in other.items() if _unnamed(key) not in seen}
        return result

    def comparison(self) -> Any:
        left = self.difference()
        if self.peek() == ">":
            self.take()
            right = self.difference()
            left = {key: v for key, v in left.items() if v > right}
        return left

    def difference(self) -> Any:
        left = self.product()
        while self.peek() == "-":
            self.take()
            right = {_unnamed(key): v for key, v in self.product().items()}
            left = {_unnamed(key): v - right[_unnamed(key)] for key, v in left.items() if _unnamed(key) in right}
        return left

    def product(self) -> Any:
        left = self.atom()
        while self.peek() == "*":
            self.take()
            factor = self.atom()
            if isinstance(factor, dict):
                right = {_unnamed(key): v for key, v in factor.items()}
                left = {_unnamed(key): v * right[_unnamed(key)] for key, v in left.items() if _unnamed(key) in right}
            else:
                left = {_unnamed(key): v * factor for key, v in left.items()}
        return left

    def atom(self) -> Any:
        kind, text = self.tokens[0] if self.tokens else ("end", "")
        if text == "(":
            self.take()
            inside = list(self.tokens)
            result = self.union()
            inside = inside[: len(inside) - len(self.tokens)]
            self.take(")")
            return self.subquery(inside) if self.peek() == "[" else result
        if kind == "number":
            return float(self.take())
        following = self.tokens[1][1] if len(self.tokens) > 1 else ""
        if text in AGGREGATES and following in ("(", "by"):
            return self.aggregate(self.take())
        if text in OVER_TIME and following == "(":
            return self.over_time(self.take())
        if text == "timestamp" and following == "(":
            return self.timestamp()
        return self.selector()

    def subquery(self, inside: list[tuple[str, str]]) -> Range:
        """Evaluate an expression at the multiples of a step since the epoch."""
        self.take("[")
        length = self.duration()
        step = _milliseconds(self.take().removeprefix(":"))
        self.take("]")
        found = Range()
        first = (self.at - length) // step * step + step
        for at in range(first, self.at + 1, step):
            for key, v in _Evaluation(self.tsdb, inside, at).union().items():
                found.setdefault(key, []).append((at, v))
        return found

    def aggregate(self, function: str) -> Vector:
        by: list[str] = []
        if self.peek() == "by":
            self.take()
            self.take("(")
            while self.peek() != ")":
                by.append(self.take())
                if self.peek() == ",":
                    self.take()
            self.take(")")
        self.take("(")
        groups: dict[Labels, list[float]] = {}
        for key, v in self.union().items():
            groups.setdefault(tuple((n, x) for n, x in key if n in by), []).append(v)
        self.take(")")
        aggregates: dict[str, Callable[[list[float]], float]] = {"max": max, "min": min, "sum": sum, "count": len}
        how = aggregates[function]
        return {key: float(how(values)) for key, values in groups.items()}

    def over_time(self, function: str) -> Vector:
        self.take("(")
        tracks = self.atom() if self.peek() in ("(", "timestamp") else self.selector()
        self.take(")")
        values = {key: [v for _, v in points] for key, points in tracks.items()}
        if function == "last_over_time":
            return {key: each[-1] for key, each in values.items()}
        if function == "max_over_time":
            return {_unnamed(key): max(each) for key, each in values.items()}
        differs = operator.lt if function == "resets" else operator.ne
        return {
            _unnamed(key): float(sum(differs(b, a) for a, b in itertools.pairwise(each)))
            for key, each in values.items()
        }

    def timestamp(self) -> Any:
        """Return the times of the samples that a selector finds; a range behind it makes a subquery of it."""
        inside = list(self.tokens)
        self.take()
        self.take("(")
        wanted = self.selector(newest_times=True)
        self.take(")")
        if self.peek() != "[":
            return wanted
        return self.subquery(inside[: len(inside) - len(self.tokens)])

    def selector(self, *, newest_times: bool = False) -> Any:
        wanted: list[Matcher] = []
        if self.peek() != "{":
            if not self.tokens or self.tokens[0][0] != "name":
                raise BadData(f"unexpected {self.peek()!r}")
            wanted.append(("__name__", "=", self.take()))
        if self.peek() == "{":
            self.take()
            while self.peek() != "}":
                label, sign, literal = self.take(), self.take(), self.take()
                wanted.append((label, sign, json.loads(literal)))
                if self.peek() == ",":
                    self.take()
            self.take("}")
        chosen = self.tsdb.choose(tuple(wanted))
        if self.peek() != "[":
            if newest_times:
                kept = self.cut(chosen, 300_000, 0, last=False)
                assert isinstance(kept, Range)
                return {_unnamed(key): points[-1][0] / 1000 for key, points in kept.items()}
            return self.cut(chosen, 300_000, 0, last=True)
        self.take()
        length = self.duration()
        self.take("]")
        offset = 0
        if self.peek() == "offset":
            self.take()
            offset = self.duration()
        return self.cut(chosen, length, offset, last=False)

    def duration(self) -> int:
        return _milliseconds(self.take())

    def cut(self, chosen: list[Labels], length: int, offset: int, *, last: bool) -> Vector | Range:
        end = self.at - offset
        kept = Range()
        for key in chosen:
            points = self.tsdb.series[key]
            stop = bisect.bisect_right(points, end, key=_time)
            if inside := points[bisect.bisect_right(points, end - length, hi=stop, key=_time) : stop]:
                kept[key] = inside
        return {key: points[-1][1] for key, points in kept.items()} if last else kept


def _milliseconds(text: str) -> int:
    length = re.fullmatch(r"(\d+)(ms|s|m)", text)
    if length is None:
        raise BadData(f"no duration: {text}")
    return int(length[1]) * MILLISECONDS[length[2]]


def _time(point: tuple[int, float]) -> int:
    return point[0]


@functools.lru_cache(maxsize=4096)
def _unnamed(key: Labels) -> Labels:
    return tuple((name, value) for name, value in key if name != "__name__")


def _meets(labels: Mapping[str, str], label: str, sign: str, wanted: str) -> bool:
    found = labels.get(label, "")
    if sign in ("=", "!="):
        return (found == wanted) == (sign == "=")
    return (re.fullmatch(wanted, found) is not None) == (sign == "=~")


def _text(value: float) -> str:
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(repr(value), repr(value))


@contextmanager
def served(tsdb: Tsdb) -> Iterator[str]:
    """Serve the query API on loopback; gives the address."""

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: else each answer waits 40 ms for an ACK

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            try:
                kind, result = tsdb.query(form["query"][0], float(form["time"][0]))
                status, answer = 200, {"status": "success", "data": {"resultType": kind, "result": result}}
            except Unavailable as error:
                status, answer = 503, {"status": "error", "errorType": "unavailable", "error": str(error)}
            except BadData as error:
                status, answer = 400, {"status": "error", "errorType": "bad_data", "error": str(error)}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
