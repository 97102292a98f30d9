"""Hold what is known about one kind of server: ports, probes, and the counters it exports.

The shape of a file in ``presets/``, and how it is filled in for one model. Must not know files, pods or Prometheus.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict

from serinus.signals.placeholders import MODEL, filled, filled_path
from serinus.signals.selectors import Matcher, Operator, Selector, parse_selector


def _parsed(written: object) -> object:
    return parse_selector(written) if isinstance(written, str) else written


Written = Annotated[Selector, BeforeValidator(_parsed)]
"""In a file as PromQL has it: ``name{label="value",…}``, without labels that Serinus adds."""

_STRICT = ConfigDict(extra="forbid", strict=True)

Kind = Literal["server", "outside", "data"]
Protocol = Literal["http", "v1", "v2", "openai", "ray", "bentoml", "torchserve", "seldon"]
How = Literal["real", "recorded", "documented"]
Separates = Literal["pods", "service", "backend", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What the names were compared with."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    version: str
    how: How
    """real: a test starts the server and compares the counts; recorded: such a run's exposition was kept;
    documented: the exposition was written after the source or the documentation, and nobody has run it."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """How a server of this kind is recognised."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    metrics: tuple[str, ...]
    """Any one of them is enough."""
    images: tuple[str, ...] = ()
    """Repositories of well-known images, for people: nothing is recognised by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where requests go."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    protocol: Protocol
    port: int
    any_port: bool = False
    """True: people choose the port, so the first one of the user's container comes before ``port``."""
    readiness_path: str | None = None
    """HTTP path of the readiness probe, may hold ``$model``; None: the user's template has to bring its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Where Prometheus scrapes."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    port: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Requests that are no user's and are left out of errors, client errors and latency."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    labels: tuple[str, ...]
    """Labels under which servers name the path."""
    pattern: str
    """RE2 pattern for a whole path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Counters of all cases and of the bad ones, or of the good ones: exactly one of ``bad`` and ``good`` is given.

    The entries of one list are disjoint sets of series, also of different metrics, whose counts are added.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    total: tuple[Written, ...]
    bad: tuple[Written, ...] = ()
    good: tuple[Written, ...] = ()
    """Then bad = total - good."""
    legible: tuple[Written, ...] = ()
    """Those series of ``total`` of which it can be told whether they are bad. Where they are left out, those with any
    value of a label by which ``bad`` or ``good`` differs from ``total``; of other metrics, all."""
    bad_counts_more: bool = False
    """``bad`` also counts what is not in ``total``, such as probes: of what was counted at most all is bad."""
    begun: tuple[Written, ...] = ()
    """Beside ``good``: what also counts cases that failed before they could be in the total. See ``unfinished``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A classic histogram of durations."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    buckets: tuple[Written, ...]
    seconds_per_unit: float
    edges: tuple[float, ...] = ()
    """Finite upper bounds of the buckets, in the metric's unit, ascending; empty when they depend on the server."""
    configurable: bool = False
    """Whether the edges are defaults that the server's settings can change."""

    @property
    def largest_seconds(self) -> float | None:
        """Return the largest finite edge in seconds, None when it depends on the server."""
        return self.edges[-1] * self.seconds_per_unit if self.edges else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How values spread: the buckets of a classic histogram, or a counter whose label names the category."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    buckets: Written | None = None
    categories: Written | None = None
    label: str | None = None
    """Of ``categories``."""
    training: Written | None = None
    """Gauges with the counts of the training data, in the same form: cumulative by ``le``, or by the same label."""

    def mapped(self, change: Callable[[Selector], Selector]) -> "Distribution":
        """Return the distribution with each of its selectors changed."""
        return replace(
            self,
            buckets=self.buckets and change(self.buckets),
            categories=self.categories and change(self.categories),
            training=self.training and change(self.training),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Why the server cannot give a kind of signal, a sentence each with what to do instead."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    errors: str = ""
    client_errors: str = ""
    latency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """All that is known about one kind of server, view from outside, or instrumentation."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    schema: Literal[2]
    runtime: str
    """Its own name."""
    family: str = ""
    """The name that joins several generations or libraries; its own name if empty."""
    rank: int = 0
    """Among presets that are recognised in one exposition the highest describes the server best: 0 any server,
    1 a proxy in the pod, 2 a web framework, 3 a model server; within a family, the newer generation by ``newer``."""
    newer: int = 0
    """Within a family: the larger, the newer."""
    kind: Kind
    versions: str
    """The range that the names hold for."""
    summary: str
    tested: Tested
    source: str
    """Where the names come from."""
    recognised: Recognised
    serving: Serving | None = None
    metrics: Metrics | None = None
    """None: the data's names stand beside the server's own."""
    errors: Counters | None = None
    client_errors: Counters | None = None
    latency: Histogram | None = None
    implausible: Counters | None = None
    accuracy: Counters | None = None
    predictions: tuple[Distribution, ...] = ()
    """The first one that is exported is used."""
    features: tuple[Distribution, ...] = ()
    """The first one that is exported for a feature is used."""
    probes: Probes | None = None
    separates: Separates | None = None
    """Outside: by what the view tells two sides apart; None for all else, whose series are the pods'."""
    absent: Absent = Absent()
    cannot: tuple[str, ...] = ()
    """What a person should know before relying on these numbers, a sentence each."""

    @property
    def family_name(self) -> str:
        """Return the family's name, which is its own where it is the only member."""
        return self.family or self.runtime

    def bound_to(self, model: str) -> "Preset":
        """Return the preset for one model: ``$model`` filled in, probes left out.

        What differs by side (``$revision``, …) and by feature (``$feature``) stays: see ``placeholders``.
        """

        def fill(selector: Selector) -> Selector:
            return filled(selector, {MODEL: model})

        serving, path = self.serving, self.serving.readiness_path if self.serving else None
        if serving and path:
            serving = replace(serving, readiness_path=filled_path(path, model))
        bound = self.mapped(fill)
        requests = bound.mapped(self._unprobed)
        return replace(
            bound,
            serving=serving,
            errors=requests.errors,
            client_errors=requests.client_errors,
            latency=requests.latency,
        )

    def mapped(self, change: Callable[[Selector], Selector]) -> "Preset":
        """Return the preset with each of its selectors changed."""

        def each(selectors: tuple[Selector, ...]) -> tuple[Selector, ...]:
            return tuple(map(change, selectors))

        def counters(of: Counters | None) -> Counters | None:
            return of and replace(
                of,
                total=each(of.total),
                bad=each(of.bad),
                good=each(of.good),
                legible=each(of.legible),
                begun=each(of.begun),
            )

        def spread(of: Distribution) -> Distribution:
            return of.mapped(change)

        return replace(
            self,
            errors=counters(self.errors),
            client_errors=counters(self.client_errors),
            latency=self.latency and replace(self.latency, buckets=each(self.latency.buckets)),
            implausible=counters(self.implausible),
            accuracy=counters(self.accuracy),
            predictions=tuple(map(spread, self.predictions)),
            features=tuple(map(spread, self.features)),
        )

    def selectors(self) -> tuple[Selector, ...]:
        """Return every selector."""
        found: list[Selector] = []

        def note(selector: Selector) -> Selector:
            found.append(selector)
            return selector

        self.mapped(note)
        return tuple(found)

    def _unprobed(self, selector: Selector) -> Selector:
        probes = self.probes or Probes(labels=(), pattern="")
        return selector.narrowed(
            *(Matcher(label=label, operator=Operator.MATCHES_NOT, value=probes.pattern) for label in probes.labels)
        )
