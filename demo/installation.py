"""Put the operator and the demo's namespace into a cluster, and take all of it out again.

Knows names and order; the chart says what the operator needs, ``examples/demo`` what is rolled out.
"""

import sys
from pathlib import Path

from cluster import access
from cluster.commands import run
from cluster.errors import CommandFailed, HarnessError
from demo.chart import install_chart, uninstall_chart
from demo.images import Image
from demo.place import Place, is_found

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "demo"
OPERATOR_NAMESPACE = "serinus-system"
NAMESPACE = "serinus-demo"
NAME = "digits"
LOAD_POD = "load"
LOAD_REPORT = f"/api/v1/namespaces/{NAMESPACE}/pods/{LOAD_POD}:8090/proxy/report"
# On the operator's namespace: the checkout whose demo this is.
CHECKOUT = "serinus.dev/demo-checkout"
# On the operator's namespace: the CRDs were not there before the demo came, so that it may take them along.
CRDS_ARE_OURS = "serinus.dev/demo-brought-crds"
WAIT_SECONDS = 180


def install(place: Place, operator: Image) -> None:
    """Apply CRDs, namespaces and the operator; return when the operator is ready.

    Raises:
        HarnessError: The demo of another checkout is there.
    """
    had_crds = is_found(place, "crd", "modeldeployments.serinus.dev")
    for name in (OPERATOR_NAMESPACE, NAMESPACE):
        if not is_found(place, "namespace", name):
            place.kubectl("create", "namespace", name)
    other = _annotation(place, CHECKOUT)
    if other and Path(other) != ROOT and Path(other).exists():
        raise HarnessError(f"The demo of {other} is installed in this cluster; end it there with `make demo-down`.")
    place.kubectl("annotate", "namespace", OPERATOR_NAMESPACE, f"{CHECKOUT}={ROOT}", "--overwrite")
    if not had_crds:
        place.kubectl("annotate", "namespace", OPERATOR_NAMESPACE, f"{CRDS_ARE_OURS}=true", "--overwrite")
    crds = str(ROOT / "crds")
    place.kubectl("apply", "--server-side", "--force-conflicts", "-f", crds)
    place.kubectl("wait", "--for=condition=Established", "-f", crds, "--timeout=30s")
    repository, _, tag = operator.reference.rpartition(":")
    install_chart(
        place.kubeconfig,
        namespace=OPERATOR_NAMESPACE,
        values={
            "image": {"repository": repository, "tag": tag},
            "watchNamespaces": [NAMESPACE],
            # The test cluster's Prometheus scrapes each second and waits one second at most; others wait ten.
            "prometheus": {"url": place.prometheus_url, "scrapeTimeout": "1s" if place.is_ours else "10s"},
            "crds": {"install": False},
            "log": {"format": "text"},
        },
    )


def clear(place: Place) -> None:
    """Remove what an earlier run has left in the demo's namespace, and wait until its pods are gone."""
    if is_found(place, "crd", "modeldeployments.serinus.dev"):
        place.kubectl("delete", "modeldeployments", "--all", "-n", NAMESPACE, f"--timeout={WAIT_SECONDS}s")
    place.kubectl("delete", "pod", LOAD_POD, "-n", NAMESPACE, "--ignore-not-found")
    place.kubectl("wait", "pods", "--all", "-n", NAMESPACE, "--for=delete", f"--timeout={WAIT_SECONDS}s")


def apply_example(place: Place, name: str) -> None:
    """Apply a file of ``examples/demo``, as a person would."""
    place.kubectl("apply", "-f", str(EXAMPLES / name))


def start_load(place: Place) -> None:
    """Start the load generator and wait until it runs."""
    apply_example(place, "load.yaml")
    place.kubectl("wait", f"pod/{LOAD_POD}", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=60s")


def remove(place: Place) -> None:
    """Remove namespaces, operator and, where the demo brought them and nobody uses them, the CRDs."""
    are_crds_ours = False
    if is_found(place, "namespace", OPERATOR_NAMESPACE):
        are_crds_ours = _annotation(place, CRDS_ARE_OURS) == "true"
        uninstall_chart(place.kubeconfig, namespace=OPERATOR_NAMESPACE)
    for name in (NAMESPACE, OPERATOR_NAMESPACE):
        place.kubectl(
            "delete", "namespace", name, "--ignore-not-found", f"--timeout={WAIT_SECONDS}s",
            timeout_seconds=WAIT_SECONDS + 10,
        )  # fmt: skip
    if are_crds_ours and not is_found(place, "modeldeployments", "--all-namespaces"):
        place.kubectl("delete", "-f", str(ROOT / "crds"), "--ignore-not-found")


def _annotation(place: Place, key: str) -> str:
    """Return an annotation of the operator's namespace, empty without it."""
    path = "{.metadata.annotations." + key.replace(".", "\\.") + "}"
    return place.kubectl("get", "namespace", OPERATOR_NAMESPACE, f"--output=jsonpath={path}")


def stop_cluster() -> bool:
    """Stop the repository's own cluster and leave nothing of it behind; False if others use it, so that it stays."""
    command = (sys.executable, "-m", "cluster", "down")
    try:
        run(*command, environment={"PYTHONPATH": str(ROOT / "tests")}, timeout_seconds=300)
    except CommandFailed as error:
        if error.status == access.IN_USE_STATUS:
            return False
        raise
    return True
