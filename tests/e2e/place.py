"""The cluster to test on: the repository's own, or with ``CLUSTER=current`` whatever the kubeconfig names."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.api_server import Kubectl
from e2e.digits import digits_layout
from e2e.serving import OPERATOR, image_of, variable_of
from e2e.toy_image import toy_layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to find the API server and Prometheus."""

    kubectl: Kubectl
    prometheus_url: str
    load_toy_image: Callable[[], None]
    load_digits_image: Callable[[], None]
    load_image: Callable[[str], None]
    """Of one of the servers in ``e2e.serving``, by its name."""
    fetch_image: str
    """That the operator starts to look up and to fetch models; empty: those tests are left out."""
    load_fetch_image: Callable[[], None]
    stop_prometheus: Callable[[], None]
    start_prometheus: Callable[[], None]
    """Returns when it answers; harmless when it runs."""


def find_place() -> Place:
    """Return the cluster to use; starts the repository's own one if it does not run.

    Skips loudly where no cluster can be had.
    """
    return _current() if os.environ.get("CLUSTER") == "current" else _own()


def _current() -> Place:
    url, image = os.environ.get("SERINUS_PROMETHEUS_URL", ""), os.environ.get("SERINUS_TOY_IMAGE", "")
    program = shutil.which("kubectl")
    if not url or not image or program is None:
        pytest.fail(
            "CLUSTER=current needs kubectl in PATH, SERINUS_PROMETHEUS_URL (a Prometheus that scrapes annotated pods)"
            " and SERINUS_TOY_IMAGE (an image of demo/toy that the cluster can pull)"
        )
    kubeconfig = Path(os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config")))

    def not_ours() -> None:
        pytest.skip("CLUSTER=current: its Prometheus is not ours to stop")

    def no_digits() -> None:
        pytest.skip("CLUSTER=current: SERINUS_DIGITS_IMAGE names no image of demo/model that the cluster can pull")

    def no_fetch() -> None:
        pytest.skip("CLUSTER=current: SERINUS_FETCH_IMAGE names no image of the operator that the cluster can pull")

    def load_image(name: str) -> None:
        if not os.environ.get(variable_of(name)):
            pytest.skip(f"CLUSTER=current: {variable_of(name)} names no image of {name} that the cluster can pull")

    return Place(
        kubectl=Kubectl(program, kubeconfig),
        prometheus_url=url,
        load_toy_image=lambda: None,
        load_digits_image=no_digits if not os.environ.get("SERINUS_DIGITS_IMAGE") else lambda: None,
        load_image=load_image,
        fetch_image=os.environ.get("SERINUS_FETCH_IMAGE", ""),
        load_fetch_image=lambda: None if os.environ.get("SERINUS_FETCH_IMAGE") else no_fetch(),
        stop_prometheus=not_ours,
        start_prometheus=lambda: None,
    )


def _own() -> Place:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("left out: the test cluster needs Linux and root; CLUSTER=current runs this on your own cluster")
    from cluster import access  # noqa: PLC0415  only where this cluster is used

    if not access.is_up():
        access.bring_up()
    return Place(
        kubectl=Kubectl(access.kubectl(), access.kubeconfig_path()),
        prometheus_url=access.prometheus_url(),
        load_toy_image=lambda: access.load_images([toy_layout()]),
        load_digits_image=lambda: access.load_images([digits_layout()]),
        load_image=lambda name: access.load_images([image_of(name).layout]),
        fetch_image=image_of(OPERATOR).reference,
        load_fetch_image=lambda: access.load_images([image_of(OPERATOR).layout]),
        stop_prometheus=access.stop_prometheus,
        start_prometheus=access.start_prometheus,
    )
