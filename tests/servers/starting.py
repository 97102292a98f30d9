"""Start the servers of the Python index with the models in ``apps/``, on loopback."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from servers.environments import ROOT, environment
from servers.processes import free_ports, running
from servers.server import Command, Place, Ready, Server

APPS = Path(__file__).parent / "apps"


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
    with tempfile.TemporaryDirectory(prefix="serinus-") as short:
        place = Place(
            folder=folder, short=Path(short), bin=home / "bin", port=port, metrics=metrics, spare=tuple(spare)
        )
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


def ray(at: Place) -> Sequence[str | Path]:
    """Return how Ray is started with its applications."""
    return at.bin / "python", APPS / "ray_app.py", str(at.port), str(at.metrics), at.short


def torchserve(at: Place) -> Sequence[str | Path]:
    """Return how TorchServe is started with a model that needs no PyTorch."""
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
