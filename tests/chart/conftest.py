"""Render the chart with helm itself, where helm was built or can be."""

from collections.abc import Callable
from typing import Any

import pytest

Objects = list[dict[str, Any]]


@pytest.fixture(scope="session")
def render() -> Callable[..., Objects]:
    """Return a function from values to the chart's objects; skips loudly where neither helm nor Go is there."""
    from demo.chart import HELM, render_chart  # noqa: PLC0415

    from cluster import binaries, toolchain  # noqa: PLC0415  the harness is needed for this alone
    from cluster.paths import Layout  # noqa: PLC0415

    cache = Layout.from_environment().cache
    go = toolchain.find(cache)
    if go is None or not binaries.cached_path(HELM, go, cache).exists():
        pytest.skip("left out: helm is not built yet; `make demo` builds it")

    def render(**values: Any) -> Objects:
        return render_chart(namespace="serinus-system", values=values)

    return render
