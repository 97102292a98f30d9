"""What runs, as a value that people and programs can read."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster import addresses, components, process, record
from cluster.paths import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One daemon."""

    name: str
    pid: int | None
    """None when it does not run."""
    resident_megabytes: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The cluster as it is now."""

    is_up: bool
    """An `up` has finished and all components run; Prometheus may be stopped."""
    started_at: str | None
    checkout: str | None
    kubeconfig: str
    kubectl: str
    prometheus_url: str
    components: tuple[Component, ...]

    def as_json(self) -> dict[str, object]:
        """Return it for `status --json`."""
        return asdict(self)


def observe(layout: Layout) -> Status:
    """Look at the processes."""
    found = record.read(layout)
    observed = tuple(_component(name, layout) for name in components.NAMES)
    dead = {component.name for component in observed if component.pid is None}
    return Status(
        is_up=found is not None and dead <= {"prometheus"},
        started_at=found.started_at if found else None,
        checkout=found.checkout if found else None,
        kubeconfig=str(layout.kubeconfig),
        kubectl=str(layout.binary("kubectl")),
        prometheus_url=addresses.PROMETHEUS_URL,
        components=observed,
    )


def _component(name: str, layout: Layout) -> Component:
    pid = process.find(name, layout)
    return Component(name=name, pid=pid, resident_megabytes=_resident_megabytes(pid), log=str(layout.log(name)))


def _resident_megabytes(pid: int | None) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
