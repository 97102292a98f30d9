"""The operator's settings: one frozen value, built once from environment variables.

Knows the names, defaults and limits of the variables. Reads no environment by itself: the mapping is handed in.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from serinus.errors import SerinusError

PREFIX = "SERINUS_"
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:m|k|[MGTPE]|[KMGTPE]i)?")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_LOG_LEVELS = ("debug", "info", "warning", "error")
_LOG_FORMATS = ("text", "json")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
SHORTEST_TRACK_INTERVAL = timedelta(seconds=10)


class InvalidSettings(SerinusError):
    """An environment variable has a value that the operator can't use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is fixed for the life of the process."""

    namespaces: tuple[str, ...] = ()
    """Namespaces that are watched; none named: all of the cluster."""
    prometheus_url: str = ""
    """Where measurements come from; empty: nothing can be measured, and MetricsAvailable says so."""
    prometheus_token_file: str | None = None
    """File with a bearer token for Prometheus, read again at each query."""
    scrape_timeout: timedelta = timedelta(seconds=10)
    """How late a sample may still arrive: measurements look at the grid's time less this."""
    workers: int = 8
    """ModelDeployments that are reconciled at the same time."""
    leader_election: bool = False
    """On: only the holder of the Lease acts, so that more than one replica may run."""
    pod_namespace: str = "default"
    """Namespace of the operator itself: its Lease lives there."""
    pod_name: str = ""
    """The operator's identity in the Lease; empty: the host's name."""
    fetch_image: str = ""
    """Image with the program `serinus fetch`; empty: spec.model.uri stalls and says so."""
    fetch_pull_policy: str = "IfNotPresent"
    """Of that image: Always, IfNotPresent or Never."""
    fetch_resources: Mapping[str, Mapping[str, str]] | None = None
    """Requests and limits of the containers that run it; None: as rollout.fetching has them."""
    track_interval: timedelta = timedelta(minutes=5)
    """How often the URI of a tracked model is looked up; at least 10 s."""
    log_level: str = "info"
    """One of debug, info, warning, error."""
    log_format: str = "text"
    """``text`` for people, ``json`` for log collectors."""
    liveness_port: int = 8081
    """Port of ``/healthz``; 0: none."""
    metrics_port: int = 8080
    """Port of ``/metrics``; 0: none."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Build the settings from variables named ``SERINUS_…``; absent ones take the defaults.

        Raises:
            InvalidSettings: a value can't be used; the message names the variable and what it may be.
        """
        read = _Reader(environment)
        default = cls()
        settings = cls(
            namespaces=read.namespaces("NAMESPACES"),
            prometheus_url=read.url("PROMETHEUS_URL"),
            prometheus_token_file=read.text("PROMETHEUS_TOKEN_FILE", "") or None,
            scrape_timeout=read.duration("SCRAPE_TIMEOUT", default.scrape_timeout),
            workers=read.integer("WORKERS", default.workers, 1, 64),
            leader_election=read.switch("LEADER_ELECTION", default.leader_election),
            pod_namespace=read.text("POD_NAMESPACE", default.pod_namespace),
            pod_name=read.text("POD_NAME", default.pod_name),
            fetch_image=read.text("FETCH_IMAGE", ""),
            fetch_pull_policy=read.text("FETCH_PULL_POLICY", default.fetch_pull_policy),
            fetch_resources=read.resources("FETCH_RESOURCES"),
            track_interval=read.duration("TRACK_INTERVAL", default.track_interval),
            log_level=read.choice("LOG_LEVEL", default.log_level, _LOG_LEVELS),
            log_format=read.choice("LOG_FORMAT", default.log_format, _LOG_FORMATS),
            liveness_port=read.integer("LIVENESS_PORT", default.liveness_port, 0, 65535),
            metrics_port=read.integer("METRICS_PORT", default.metrics_port, 0, 65535),
        )
        if settings.fetch_pull_policy not in _PULL_POLICIES:
            raise InvalidSettings(
                f"{PREFIX}FETCH_PULL_POLICY is {settings.fetch_pull_policy!r}; give one of {', '.join(_PULL_POLICIES)}"
            )
        if settings.track_interval < SHORTEST_TRACK_INTERVAL:
            raise InvalidSettings(
                f"{PREFIX}TRACK_INTERVAL is shorter than 10s; each look starts a pod, give 10s or more"
            )
        if settings.liveness_port and settings.liveness_port == settings.metrics_port:
            raise InvalidSettings(
                f"{PREFIX}LIVENESS_PORT and {PREFIX}METRICS_PORT are both {settings.liveness_port}; set one of them "
                "to another port, or to 0 to switch it off"
            )
        return settings


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def text(self, name: str, default: str) -> str:
        return self.environment.get(PREFIX + name, "").strip() or default

    def namespaces(self, name: str) -> tuple[str, ...]:
        named = tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", self.text(name, "")) if part))
        for each in named:
            if not _NAMESPACE.fullmatch(each):
                raise InvalidSettings(
                    f"{PREFIX}{name} holds {each!r}, which is no name of a namespace; "
                    "give names with commas between them, or leave it empty to watch the whole cluster"
                )
        return named

    def url(self, name: str) -> str:
        text = self.text(name, "").rstrip("/")
        if text and not re.fullmatch(r"https?://[^\s/?#]+(?:/[^\s?#]*)?", text):
            raise InvalidSettings(f"{PREFIX}{name} is {text!r}; give an address such as http://prometheus:9090")
        return text

    def duration(self, name: str, default: timedelta) -> timedelta:
        text = self.text(name, "")
        if not text:
            return default
        if not _DURATION.fullmatch(text):
            raise InvalidSettings(f"{PREFIX}{name} is {text!r}; give a duration with a unit, such as 10s or 1m30s")
        return timedelta(
            seconds=sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
        )

    def resources(self, name: str) -> Mapping[str, Mapping[str, str]] | None:
        text = self.text(name, "")
        if not text:
            return None
        try:
            told = json.loads(text)
            parts = {part: {key: str(amount) for key, amount in told[part].items()} for part in told}
            good = set(parts) <= {"requests", "limits"}
            good = good and all(_QUANTITY.fullmatch(each) for part in parts.values() for each in part.values())
        except (ValueError, TypeError, AttributeError):
            good, parts = False, {}
        if not good:
            raise InvalidSettings(
                f"{PREFIX}{name} is {text!r}; give requests and limits as JSON, such as "
                '{"limits": {"memory": "512Mi"}}'
            )
        return parts

    def integer(self, name: str, default: int, lowest: int, highest: int) -> int:
        text = self.text(name, "")
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
            raise InvalidSettings(f"{PREFIX}{name} is {text!r}; give a whole number from {lowest} to {highest}")
        return int(text)

    def switch(self, name: str, default: bool) -> bool:
        if PREFIX + name not in self.environment:
            return default
        text = self.text(name, "").lower()
        if text not in _TRUE | _FALSE:
            raise InvalidSettings(f"{PREFIX}{name} is {text!r}; give true or false")
        return text in _TRUE

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.text(name, default).lower()
        if text not in allowed:
            raise InvalidSettings(f"{PREFIX}{name} is {text!r}; give one of {', '.join(allowed)}")
        return text
