"""Write the PromQL to ask, and check the PromQL that users write.

Knows selectors, scopes and blocks of time. Must not know how an answer is fetched or counted. All queries are asked at
an explicit instant; ``last_over_time`` there is the rule "the newest sample at or before", one number per series.
"""

import re
from collections.abc import Iterable
from datetime import timedelta

from serinus.errors import InvalidSpec
from serinus.signals.grid import LOOK_BACK
from serinus.signals.placeholders import NAMESPACE, filled, tells_sides_apart
from serinus.signals.samples import BUCKET_LABEL, NAME_LABEL, POD_LABEL, PROCESS_START, UP
from serinus.signals.scope import Scope, Side
from serinus.signals.selectors import Matcher, Selector, one_of, parse_selector

__all__ = [
    "buckets_at",
    "by_metric",
    "check_dated",
    "check_query",
    "edges_of",
    "exported",
    "newest",
    "newest_samples",
    "of_pods",
    "on_grid",
    "parse_selector",
    "past",
    "past_query",
    "raw",
    "raw_process_starts",
    "resets",
    "restarts",
    "scraped_at",
    "side_query",
    "targets",
    "window_seconds",
]

_SELECTOR = "$selector"
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")
_WINDOW = re.compile(r"\[\s*([0-9][0-9a-z.]*)\s*(?::[^\]]*)?\]")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_SELECTED = re.compile(r"(?:[a-zA-Z_:][a-zA-Z0-9_:]*\s*)?\{[^{}]*\}")
_PLACEHOLDER = re.compile(r"\$(selector|revision)(?![A-Za-z0-9_])")


def of_pods(selectors: Iterable[Selector], scope: Scope, side: Side | None = None) -> tuple[Selector, ...]:
    """Return the selectors narrowed to the pods of one side, or of both for None.

    A selector that tells by its labels whose series they are is filled in for the side, and the pods of both sides may
    export them.
    """
    return tuple(_of_pods(each, scope, side) for each in selectors)


def _of_pods(selector: Selector, scope: Scope, side: Side | None) -> Selector:
    if side is None:
        return filled(selector, {NAMESPACE: scope.namespace}).narrowed(*scope.matchers(*Side))
    pods = tuple(Side) if tells_sides_apart(selector) else (side,)
    return filled(selector, scope.names(side)).narrowed(*scope.matchers(*pods))


def by_metric(selectors: Iterable[Selector]) -> tuple[tuple[Selector, ...], ...]:
    """Return the selectors grouped by metric, each group to be asked by itself.

    ``or`` takes series of two metrics with the same labels for one, and drops the second.
    """
    groups: dict[str, list[Selector]] = {}
    for each in selectors:
        groups.setdefault(each.metric, []).append(each)
    return tuple(map(tuple, groups.values()))


def exported(names: Iterable[str], scope: Scope) -> str:
    """Return a query for which of some metrics each pod of both sides exports, one series per pod and metric."""
    matchers = ",".join(map(str, (one_of(NAME_LABEL, sorted(names)), *scope.matchers(*Side))))
    return f"count by ({POD_LABEL}, {NAME_LABEL}) (last_over_time({{{matchers}}}[{_range(LOOK_BACK)}]))"


def newest(selectors: Iterable[Selector], most: timedelta = LOOK_BACK) -> str:
    """Return a query for the newest value of each series of one metric, at most so old."""
    return _union(f"last_over_time({each}[{_range(most)}])" for each in selectors)


def resets(selectors: Iterable[Selector], block: timedelta) -> str:
    """Return a query, for the end of a block, whose answer has the series that were reset within the block.

    Resets over block and look-back, less those over the look-back before the block: both ranges begin at the same
    time, so what remains happened after the newest sample of the block's start. A series born in the block has none
    to subtract.

    Args:
        selectors: the alternatives of one metric.
        block: length of the block.
    """
    chosen = tuple(selectors)
    whole = _union(f"resets({each}[{_range(block + LOOK_BACK)}])" for each in chosen)
    earlier = _union(f"resets({each}[{_range(LOOK_BACK)}] offset {_range(block)})" for each in chosen)
    return f"({whole}) - (({earlier}) or ({whole}) * 0) > 0"


def raw(selectors: Iterable[Selector], pods: Iterable[str], block: timedelta) -> tuple[str, ...]:
    """Return the range selectors, for the end of a block, with all samples that it takes to walk some pods' counters.

    One per alternative: a union of range vectors does not exist in PromQL.
    """
    some = one_of(POD_LABEL, sorted(pods))
    return tuple(f"{each.narrowed(some)}[{_range(block + LOOK_BACK)}]" for each in selectors)


def raw_process_starts(scope: Scope, pods: Iterable[str], block: timedelta) -> str:
    """Return the range selector that tells which process each sample of some pods comes from."""
    return raw((_process_start(scope),), pods, block)[0]


def restarts(scope: Scope, block: timedelta) -> str:
    """Return a query for the targets whose process was replaced in a block or in the look-back before it."""
    return f"changes({_process_start(scope)}[{_range(block + LOOK_BACK)}]) > 0"


def targets(scope: Scope) -> str:
    """Return a query for the state of the pods' scrape targets: whether they are up, when their processes started."""
    names = "|".join((UP, PROCESS_START))
    matchers = ",".join(map(str, scope.matchers(*Side)))
    return f'last_over_time({{{NAME_LABEL}=~"{names}",{matchers}}}[{_range(LOOK_BACK)}])'


def scraped_at(scope: Scope) -> str:
    """Return a query for when each of the pods' targets was scraped last, in seconds; 0 for one that is down."""
    up = Selector(metric=UP, matchers=scope.matchers(*Side))
    return f"timestamp({up}) * {up}"


def edges_of(buckets: Iterable[Selector]) -> str:
    """Return a query for the bucket labels that each pod's histogram has."""
    return f"count by ({POD_LABEL}, {BUCKET_LABEL}) ({newest(buckets)})"


def buckets_at(buckets: Iterable[Selector], labels: Iterable[str]) -> tuple[Selector, ...]:
    """Return the selectors narrowed to buckets with exactly these ``le`` labels."""
    some: Matcher = one_of(BUCKET_LABEL, labels)
    return tuple(each.narrowed(some) for each in buckets)


def check_query(text: str) -> None:
    """Check a user's PromQL as far as it can be checked without Prometheus.

    Raises:
        InvalidSpec: it is empty, or has a dollar sign that is neither ``$selector`` nor ``$revision``.
    """
    if not text.strip():
        raise InvalidSpec("the query is empty: write PromQL that gives one number, such as max(my_metric{$selector})")
    if "$" in _PLACEHOLDER.sub("", text):
        raise InvalidSpec(
            f"the query {text!r} has a $ that is not {_SELECTOR}: the placeholders are {_SELECTOR}, which becomes "
            'namespace="…",pod=~"…" of the canary, and $revision, its short name (a regular expression in PromQL needs '
            "no $ at its end)"
        )


def window_seconds(text: str) -> float:
    """Return the longest range in brackets that a query looks back over, in seconds; 0 if it has none.

    ``rate(x[5m])`` gives 300. Values of the query that lie nearer in time than that share samples.
    """
    ranges = _WINDOW.findall(_STRING.sub('""', text))
    return max((_seconds(each) for each in ranges), default=0.0)


def _seconds(text: str) -> float:
    parts = _PART.findall(text)
    if parts:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else 0.0


def side_query(text: str, scope: Scope, side: Side) -> str:
    """Return a user's query for one side: ``$selector`` becomes its pods' matchers, ``$revision`` its short name."""
    check_query(text)
    values = {"selector": ",".join(map(str, scope.matchers(side))), "revision": scope.revision(side)}
    return _PLACEHOLDER.sub(lambda found: values[found.group(1)], text)


def newest_samples(text: str, scope: Scope, side: Side, max_age: timedelta) -> tuple[str, ...]:
    """Return queries for the time of the newest sample of each metric that a user's query reads, for one side.

    A sample that is older than ``max_age`` and than what Prometheus looks back over is not found.
    """
    step = max(min(max_age / 10, timedelta(seconds=30)), timedelta(seconds=1))
    chosen = (side_query(each, scope, side) for each in _metrics_of(text))
    return tuple(
        f"max(timestamp({each}) or max_over_time(timestamp({each})[{_range(max_age)}:{_range(step)}]))"
        for each in chosen
    )


def check_dated(text: str) -> None:
    """Check that it can be told from a user's query how old its value is.

    Raises:
        InvalidSpec: it has no vector selector with braces.
    """
    if not _metrics_of(text):
        raise InvalidSpec(
            f"the query {text!r} names no metric with braces, so nobody can tell how old its value is: write "
            "my_metric{} for my_metric, or give updated, a query for the time when the value was computed"
        )


def _metrics_of(text: str) -> tuple[str, ...]:
    masked = _STRING.sub(lambda found: "_" * len(found.group()), text)
    return tuple(dict.fromkeys(text[found.start() : found.end()] for found in _SELECTED.finditer(masked)))


def past(selectors: Iterable[Selector], pods: Iterable[str], length: timedelta, step: timedelta) -> str:
    """Return a query for the newest values of some pods' counter at each multiple of a step in the past.

    Args:
        selectors: the alternatives of one metric.
        pods: their names.
        length: how far back.
        step: distance of two instants; they lie on its multiples since the epoch, whatever the query's own time.
    """
    some = one_of(POD_LABEL, sorted(pods))
    return on_grid((each.narrowed(some) for each in selectors), length, step)


def on_grid(selectors: Iterable[Selector], length: timedelta, step: timedelta, most: timedelta = LOOK_BACK) -> str:
    """Return a query for the newest values of one metric, at most so old, at multiples of a step since the epoch."""
    return f"({newest(selectors, most)})[{_range(length)}:{_range(step)}]"


def past_query(text: str, scope: Scope, side: Side, length: timedelta, step: timedelta) -> str:
    """Return a query for the values of a user's query for one side at each multiple of a step in the past."""
    return f"({side_query(text, scope, side)})[{_range(length)}:{_range(step)}]"


def _process_start(scope: Scope) -> Selector:
    return Selector(metric=PROCESS_START, matchers=scope.matchers(*Side))


def _union(parts: Iterable[str]) -> str:
    return " or ".join(parts)


def _range(length: timedelta) -> str:
    milliseconds = length // timedelta(milliseconds=1)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
