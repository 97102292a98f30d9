"""What tests and the demo need to know about the cluster. The public face of this package."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from cluster import addresses, binaries, lock, startup, status, toolchain
from cluster.errors import ClusterInUse, HarnessError
from cluster.images import load
from cluster.lock import exclusive
from cluster.paths import Layout
from cluster.progress import Reporter

IN_USE_STATUS = ClusterInUse.STATUS
"""Exit status of `down` when it left the cluster to others who use it."""


def is_up() -> bool:
    """Return whether an `up` has finished and its daemons run (Prometheus may be stopped)."""
    return status.observe(Layout.from_environment()).is_up


def bring_up() -> None:
    """Make the cluster run; does nothing if it does. Raises `HarnessError` with what to do."""
    layout = Layout.from_environment()
    reporter = Reporter(layout.cache)
    with exclusive(layout, reporter):
        startup.bring_up(layout, reporter)


def in_use() -> AbstractContextManager[None]:
    """Keep the cluster from being taken down by others while we use it; waits if that is going on."""
    layout = Layout.from_environment()
    return lock.in_use(layout, Reporter(layout.cache))


def kubeconfig_path() -> Path:
    """Return where the administrator's kubeconfig is while the cluster is up."""
    return Layout.from_environment().kubeconfig


def kubectl() -> Path:
    """Return where the cluster's kubectl is while the cluster is up."""
    return Layout.from_environment().binary("kubectl")


def prometheus_url() -> str:
    """Return the address of Prometheus, good for the host and for pods."""
    return addresses.PROMETHEUS_URL


def stop_prometheus() -> None:
    """Stop Prometheus and keep its data; returns when it has ended."""
    layout = Layout.from_environment()
    with exclusive(layout, Reporter(layout.cache)):
        startup.stop_prometheus(layout)


def start_prometheus() -> None:
    """Start Prometheus on the data it had; returns when it answers."""
    layout = Layout.from_environment()
    with exclusive(layout, Reporter(layout.cache)):
        startup.start_prometheus(layout)


def load_images(images: Iterable[Path]) -> None:
    """Put images (layouts or archives) into the cluster; only what it lacks is transferred."""
    layout = Layout.from_environment()
    for image in images:
        load.load(image, layout)


def built_binary(name: str) -> Path | None:
    """Return a binary of the cluster (for example etcd) if the cache has it; builds nothing, needs no root.

    Raises `HarnessError` for a name that no component has.
    """
    tools = [tool for tool in binaries.CLUSTER_TOOLS if tool.name == name]
    if not tools:
        raise HarnessError(f"No component is called {name}.")
    go = toolchain.find(Layout.from_environment().cache)
    if go is None:
        return None
    path = binaries.cached_path(tools[0], go, Layout.from_environment().cache)
    return path if path.exists() else None


def build_binary(tool: binaries.Tool) -> Path:
    """Return the binary of any Go module as `binaries.Tool` describes it, built unless the cache has it."""
    layout = Layout.from_environment()
    reporter = Reporter(layout.cache)
    return binaries.build(tool, toolchain.ensure(layout.cache, reporter), layout.cache, reporter)
