"""What the harness' own tests share: the layout, and a cluster that runs where one is needed."""

import os
import sys

import pytest

from cluster import access
from cluster.kubectl import Kubectl
from cluster.paths import Layout


@pytest.fixture
def layout() -> Layout:
    """Return the real layout of this machine and user."""
    return Layout.from_environment()


@pytest.fixture
def kubectl(layout: Layout) -> Kubectl:
    """Return kubectl for the cluster that runs; without one the test is left out, loudly."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("the test cluster needs Linux and root")
    if not access.is_up():
        pytest.skip("the test cluster is not up: `make kubeconfig` starts it")
    return Kubectl(layout)
