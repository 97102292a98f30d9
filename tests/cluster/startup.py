"""Brings the cluster up: finds the one that runs, or clears what a crash left and starts afresh."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cluster import (
    apiserver,
    binaries,
    certificates,
    components,
    containerd,
    kubeconfigs,
    kubelet,
    network,
    objects,
    packages,
    preflight,
    process,
    prometheus,
    record,
    teardown,
    toolchain,
)
from cluster.errors import HarnessError
from cluster.images import load, pause
from cluster.kubectl import Kubectl
from cluster.paths import Layout
from cluster.progress import Reporter
from cluster.waiting import wait_until

DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


def bring_up(layout: Layout, reporter: Reporter) -> None:
    """Make the cluster run. Returns when the node is Ready, pods can be created and Prometheus answers.

    Raises `HarnessError` where a cluster of other components runs, or where anything fails.
    """
    preflight.require_linux_and_root()
    preflight.require_no_other_node(layout)
    go = toolchain.ensure(layout.cache, reporter)
    wanted = components.fingerprints(layout, binaries.cached_paths(binaries.CLUSTER_TOOLS, go, layout.cache))
    # Compared before anything is built: a cluster that is in the way should not be news after 20 minutes.
    if reuse(layout, wanted, reporter):
        return
    install_packages(reporter)
    built = binaries.build_all(binaries.CLUSTER_TOOLS, go, layout.cache, reporter)
    if layout.state.exists():
        with reporter.step("leftovers", "removing what an earlier cluster left"):
            teardown.tear_down(layout)
    preflight.require_free_ports()
    with reporter.step("cluster", "starting", key="start"):
        start(layout, built)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    checkout = str(Path(__file__).resolve().parents[2])
    record.write(layout, record.Record(fingerprints=wanted, started_at=now, checkout=checkout))


def install_packages(reporter: Reporter) -> None:
    """Install the system packages that are missing."""
    if lacking := packages.missing():
        with reporter.step("packages", f"installing {', '.join(lacking)}", key="apt"):
            packages.install(lacking)


def reuse(layout: Layout, wanted: Mapping[str, str], reporter: Reporter) -> bool:
    """Return whether a cluster of the same components runs; start its Prometheus if that was stopped.

    Raises `HarnessError` if a cluster of other components runs.
    """
    found = record.read(layout)
    dead = {name for name in components.NAMES if process.find(name, layout) is None}
    if found is None or dead - {prometheus.NAME}:
        return False
    if different := record.differences(found, wanted):
        raise HarnessError(
            f"A cluster of other components runs on this machine (started from {found.checkout} at {found.started_at}; "
            f"different: {', '.join(different)}). If nobody needs it, run `down` and then `up` again."
        )
    reporter.say(f"Using the cluster that runs since {found.started_at} (started from {found.checkout}).")
    if dead:
        start_prometheus(layout)
    return True


def start(layout: Layout, built: Mapping[str, Path]) -> None:
    """Start everything on a clean machine."""
    layout.state.mkdir(parents=True, mode=0o755)
    (layout.state / "bin").mkdir()
    for name, path in built.items():
        layout.binary(name).symlink_to(path)
    certificates.make(layout.certificates)
    kubeconfigs.write_all(layout)
    network.set_up()
    running = [process.start(daemon, layout) for daemon in components.first(layout)]
    wait_until("containerd", lambda: containerd.is_ready(layout), layout, daemons=running)
    running.append(process.start(components.node(layout), layout))
    load.load(pause.build(built["pause"], layout.cache), layout)
    kubectl = Kubectl(layout)
    wait_until("the API server", lambda: apiserver.is_ready(kubectl), layout, daemons=running, timeout_seconds=120)
    running += [process.start(daemon, layout) for daemon in components.second(layout)]
    wait_until(
        "namespace kube-system", lambda: _exists(kubectl, "/api/v1/namespaces/kube-system"), layout, daemons=running
    )
    kubectl.apply(objects.make_all())
    wait_until("the node to be Ready", lambda: kubelet.is_ready(kubectl), layout, daemons=running, timeout_seconds=120)
    wait_until("the default service account", lambda: _exists(kubectl, DEFAULT_ACCOUNT), layout, daemons=running)
    wait_until("Prometheus", prometheus.is_ready, layout, daemons=running)


def start_prometheus(layout: Layout) -> None:
    """Start Prometheus on the data it has, unless it runs; returns when it answers."""
    if process.find(prometheus.NAME, layout) is None:
        process.start(prometheus.daemon(layout), layout)
    wait_until("Prometheus", prometheus.is_ready, layout, daemons=[prometheus.NAME])


def stop_prometheus(layout: Layout) -> None:
    """Stop Prometheus alone and keep its data; returns when it has ended."""
    process.stop(prometheus.NAME, layout, grace_seconds=20)


def _exists(kubectl: Kubectl, path: str) -> bool:
    return kubectl.fetch(path) is not None
