"""The servers: how each is started and asked, and where its preset is to count what it answers."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from servers.environments import ROOT, environment
from servers.mix import FAILING, GOOD, SLOW, Answer, Request, Sort
from servers.processes import free_ports, running

APPS = Path(__file__).parent / "apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one run of a server has its files and ports."""

    folder: Path
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers."""

    url: str
    metrics_target: str


@contextmanager
def started(server: Server, folder: Path) -> Iterator[Running]:
    """Run a server on loopback, installed if need be."""
    port, metrics, *spare = free_ports(5)
    home = environment(server.packages)
    place = Place(folder=folder, bin=home / "bin", port=port, metrics=metrics, spare=tuple(spare))
    filled = {
        name: Template(value).substitute(METRICS=metrics, HOME=folder) for name, value in server.variables.items()
    }
    variables = {
        "PATH": f"{place.bin}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": f"{APPS}:{ROOT / 'instrument'}",
        "PYTHONPYCACHEPREFIX": str(home / "pycache"),
        **filled,
    }
    url = f"http://127.0.0.1:{port}"
    ready = server.ready or Ready(path=server.probe)
    with running(server.command(place), folder, variables, f"{url}{ready.path}", ready.holds):
        target = metrics if server.own_metrics_port else port
        yield Running(url=url, metrics_target=f"{server.metrics_host}:{target}")


def uvicorn(app: str) -> Command:
    """Return how an ASGI application is started."""
    return lambda at: (at.bin / "python", "-m", "uvicorn", f"{app}:app", "--host", "127.0.0.1", "--port", str(at.port))


def kserve(app: str) -> Command:
    """Return how a model on KServe's server is started."""
    return lambda at: (at.bin / "python", APPS / f"{app}.py", str(at.port))


def mlserver(at: Place) -> Sequence[str | Path]:
    """Return how MLServer is started with the models in ``apps/mlserver_app``."""
    models = at.folder / "models"
    shutil.copytree(APPS / "mlserver_app", models)
    settings = {
        "host": "127.0.0.1",
        "http_port": at.port,
        "metrics_port": at.metrics,
        "grpc_port": at.spare[0],
        "parallel_workers": 0,
    }
    (models / "settings.json").write_text(json.dumps(settings))
    return at.bin / "mlserver", "start", models


def bentoml(app: str) -> Command:
    """Return how a BentoML service is started."""
    return lambda at: (at.bin / "bentoml", "serve", f"{app}:Iris", "--host", "127.0.0.1", "--port", str(at.port))


def _ray(at: Place) -> Sequence[str | Path]:
    # Its sockets' paths have to be short.
    folder = tempfile.mkdtemp(prefix="ray-")
    (at.folder / "ray").symlink_to(folder)
    return at.bin / "python", APPS / "ray_app.py", str(at.port), str(at.metrics), folder


def _torchserve(at: Place) -> Sequence[str | Path]:
    model = at.folder / "store" / "iris"
    shutil.copytree(APPS / "torchserve_app", model)
    (model / "MAR-INF").mkdir()
    (model / "MANIFEST.json").rename(model / "MAR-INF" / "MANIFEST.json")
    ports = {
        "PORT": at.port,
        "METRICS": at.metrics,
        "MANAGEMENT": at.spare[0],
        "GRPC": at.spare[1],
        "GRPC_MANAGEMENT": at.spare[2],
    }
    config = at.folder / "config.properties"
    config.write_text(Template((model / config.name).read_text()).substitute(ports))
    return (
        at.bin / "torchserve", "--foreground", "--model-store", at.folder / "store", "--models", "iris=iris",
        "--ts-config", config,
    )  # fmt: skip


def _x(value: float) -> object:
    return {"x": value}


def _instances(value: float) -> object:
    return {"instances": [[value]]}


def _tensor(value: float) -> object:
    return {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [value]}]}


_OK = Answer(status=200, errors="total", client_errors="total", latency="fast")
_LATE = Answer(status=200, errors="total", client_errors="total", latency="slow")
_FAILED = Answer(status=500, errors="bad", client_errors="total", latency="fast")
_REFUSED = Answer(status=422, errors="total", client_errors="bad", latency="fast")
_NOT_COUNTED = Answer(status=404)
_PROBED = Answer(status=200)

_WEB = {
    Sort.GOOD: _OK,
    Sort.SLOW: _LATE,
    Sort.FAILING: _FAILED,
    Sort.MALFORMED: _REFUSED,
    Sort.INVALID: _REFUSED,
    Sort.UNKNOWN: Answer(status=404, errors="total", client_errors="bad", latency="fast"),
    Sort.PROBE: _PROBED,
}

# KServe's histogram is of the model's predict; what fails before it is not in there.
_KSERVE = {
    Sort.GOOD: Answer(status=200, errors="total", latency="fast"),
    Sort.SLOW: Answer(status=200, errors="total", latency="slow"),
    Sort.FAILING: Answer(status=500, errors="bad", latency="fast"),
    Sort.MALFORMED: Answer(status=400),
    Sort.INVALID: Answer(status=400, errors="bad"),
    Sort.UNKNOWN: _NOT_COUNTED,
    Sort.NEIGHBOUR: Answer(status=500),
    Sort.PROBE: _PROBED,
}

SERVERS = (  # the small ones first: they are tried while the large ones are installed
    Server(
        name="fastapi-instrumentator",
        preset="fastapi-instrumentator",
        packages="fastapi",
        title="prometheus-fastapi-instrumentator 8.1.0",
        command=uvicorn("instrumentator_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        own_metrics_port=False,
        answers=_WEB,
    ),
    Server(
        name="generic",
        preset="generic",
        packages="fastapi",
        title="prometheus-client 0.26.0",
        command=uvicorn("generic_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/healthz",
        own_metrics_port=False,
        answers=_WEB,
    ),
    Server(
        name="starlette-exporter",
        preset="starlette-exporter",
        packages="fastapi",
        title="starlette-exporter 0.24.0",
        command=uvicorn("starlette_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        own_metrics_port=False,
        answers={**_WEB, Sort.UNKNOWN: _NOT_COUNTED},
    ),
    Server(
        name="opentelemetry-seconds",
        preset="opentelemetry-seconds",
        packages="opentelemetry",
        title="opentelemetry-instrumentation-fastapi 0.66b2",
        command=uvicorn("opentelemetry_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        variables={"METRICS_PORT": "$METRICS", "OTEL_SEMCONV_STABILITY_OPT_IN": "http"},
        answers=_WEB,
    ),
    Server(
        name="opentelemetry-milliseconds",
        preset="opentelemetry-milliseconds",
        packages="opentelemetry",
        title="opentelemetry-instrumentation-fastapi 0.66b2",
        command=uvicorn("opentelemetry_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        variables={"METRICS_PORT": "$METRICS"},
        answers=_WEB,
    ),
    Server(
        name="torchserve",
        preset="torchserve",
        packages="torchserve",
        title="torchserve 0.12.0",
        command=_torchserve,
        body=_x,
        path="/predictions/iris",
        answer_path="$",
        unknown="/predictions/nosuch",
        probe="/ping",
        needs="java",
        variables={"LOG_LOCATION": "$HOME/logs", "METRICS_LOCATION": "$HOME/logs", "TEMP": "$HOME"},
        answers={
            Sort.GOOD: Answer(status=200, errors="total"),
            Sort.SLOW: Answer(status=200, errors="total"),
            Sort.FAILING: Answer(status=503, errors="bad"),
            Sort.MALFORMED: Answer(status=503, errors="bad"),
            Sort.INVALID: Answer(status=503, errors="bad"),
            Sort.UNKNOWN: _NOT_COUNTED,
            Sort.PROBE: _PROBED,
        },
    ),
    Server(
        name="mlserver",
        preset="mlserver",
        packages="mlserver",
        title="mlserver 1.7.1",
        command=mlserver,
        body=_tensor,
        path="/v2/models/iris/infer",
        answer_path="$.outputs[0].data[0]",
        neighbour="/v2/models/neighbour/infer",
        unknown="/v2/models/nosuch/infer",
        probe="/v2/models/iris/ready",
        answers={
            **_WEB,
            # Without a model: its REST counters do not tell models apart.
            Sort.MALFORMED: Answer(status=422, client_errors="bad", latency="fast"),
            Sort.INVALID: Answer(status=422, client_errors="bad", latency="fast"),
            Sort.UNKNOWN: Answer(status=404, client_errors="bad", latency="fast"),
            Sort.NEIGHBOUR: Answer(status=500, client_errors="total", latency="fast"),
        },
    ),
    Server(
        name="bentoml",
        preset="bentoml",
        packages="bentoml",
        title="bentoml 1.4.39",
        command=bentoml("bentoml_app"),
        body=_x,
        path="/predict",
        answer_path="$",
        unknown="/nosuch",
        probe="/readyz",
        own_metrics_port=False,
        variables={"BENTOML_HOME": "$HOME/bentoml", "BENTOML_DO_NOT_TRACK": "True"},
        answers={
            **_WEB,
            Sort.MALFORMED: Answer(status=400, errors="total", client_errors="bad", latency="fast"),
            Sort.INVALID: Answer(status=400, errors="total", client_errors="bad", latency="fast"),
        },
    ),
    Server(
        name="kserve-v1",
        preset="kserve",
        packages="kserve",
        title="kserve 0.21.0",
        command=kserve("kserve_app"),
        body=_instances,
        path="/v1/models/iris:predict",
        answer_path="$.predictions[0][0]",
        neighbour="/v1/models/neighbour:predict",
        unknown="/v1/models/nosuch:predict",
        probe="/v1/models/iris",
        own_metrics_port=False,
        shows_itself_idle=False,
        answers=_KSERVE,
    ),
    Server(
        name="kserve-v2",
        preset="kserve",
        packages="kserve",
        title="kserve 0.21.0",
        command=kserve("kserve_app"),
        body=_tensor,
        path="/v2/models/iris/infer",
        answer_path="$.outputs[0].data[0]",
        neighbour="/v2/models/neighbour/infer",
        unknown="/v2/models/nosuch/infer",
        probe="/v2/models/iris/ready",
        own_metrics_port=False,
        shows_itself_idle=False,
        answers={**_KSERVE, Sort.MALFORMED: Answer(status=422), Sort.INVALID: Answer(status=422)},
    ),
    Server(
        name="ray-serve",
        preset="ray-serve",
        packages="ray-serve",
        title="ray 2.60.0",
        command=_ray,
        body=_x,
        path="/iris",
        neighbour="/neighbour",
        unknown="/nosuch",
        probe="/-/healthz",
        ready=Ready(path="/-/routes", holds='"/iris"'),  # its probe answers before an application is there
        metrics_host="127.0.0.2",
        variables={"RAY_metrics_report_interval_ms": "1000", "RAY_USAGE_STATS_ENABLED": "0"},
        answers={
            **_WEB,
            # Whatever the application raises is a 500 to Ray, a body that is no JSON too.
            Sort.MALFORMED: _FAILED,
            Sort.INVALID: _FAILED,
            Sort.UNKNOWN: _NOT_COUNTED,
            Sort.NEIGHBOUR: Answer(status=500),
        },
    ),
)
