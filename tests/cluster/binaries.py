"""Builds the Go programs and keeps them by content: a binary is found again by what it was built from."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import durations
from cluster.commands import run
from cluster.errors import CommandFailed, HarnessError
from cluster.paths import GO_MODULES
from cluster.progress import Reporter
from cluster.toolchain import Go

BUILD_TIMEOUT_SECONDS = 3600
# Measured on two cores with empty caches, in the order of CLUSTER_TOOLS: the first of a module pays for the others.
FIRST_BUILD_SECONDS = {
    "pause": 6,
    "etcd": 54,
    "kube-apiserver": 262,
    "kube-controller-manager": 71,
    "kube-scheduler": 6,
    "kubelet": 19,
    "kube-proxy": 8,
    "kubectl": 25,
    "coredns": 138,
    "prometheus": 404,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One binary: a main package of one of the modules below go/."""

    name: str
    module: str
    """Directory below go/ that holds go.mod."""
    package: str
    """Import path, or `.` for a program that is written here."""
    variables: tuple[tuple[str, str], ...] = ()
    """String variables set by the linker, as (name, value)."""
    tags: tuple[str, ...] = ()
    directory: Path = GO_MODULES

    @property
    def source(self) -> Path:
        return self.directory / self.module

    @property
    def flags(self) -> tuple[str, ...]:
        linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables)])
        return ("-trimpath", "-ldflags", linker, *(("-tags", ",".join(self.tags)) if self.tags else ()))


def module_version(source: Path, module: str) -> str:
    """Return the version of a required module, for example v1.36.3, from the go.mod in `source`."""
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", (source / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise HarnessError(f"{source / 'go.mod'} does not require {module}.")
    return found[1]


def _kubernetes(name: str) -> Tool:
    version = module_version(GO_MODULES / "kubernetes", "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    prefix = "k8s.io/component-base/version."
    # Without these the API server calls itself v0.0.0-master.
    variables = ((f"{prefix}gitVersion", version), (f"{prefix}gitMajor", major), (f"{prefix}gitMinor", minor))
    return Tool(name=name, module="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", variables=variables)


ETCD = Tool(name="etcd", module="etcd", package="go.etcd.io/etcd/server/v3")
KUBE_APISERVER = _kubernetes("kube-apiserver")
KUBE_CONTROLLER_MANAGER = _kubernetes("kube-controller-manager")
KUBE_SCHEDULER = _kubernetes("kube-scheduler")
KUBELET = _kubernetes("kubelet")
KUBE_PROXY = _kubernetes("kube-proxy")
KUBECTL = _kubernetes("kubectl")
COREDNS = Tool(name="coredns", module="coredns", package="github.com/coredns/coredns")
PROMETHEUS = Tool(
    name="prometheus",
    module="prometheus",
    package="github.com/prometheus/prometheus/cmd/prometheus",
    # The module's v0.309.1 is the release 3.9.1.
    variables=(("github.com/prometheus/common/version.Version", "3.9.1"),),
    # All other service discoveries bring the clouds' client libraries with them.
    tags=("remove_all_sd", "enable_kubernetes_sd"),
)
PAUSE = Tool(name="pause", module="pause", package=".")
CLUSTER_TOOLS = (
    PAUSE,
    ETCD,
    KUBE_APISERVER,
    KUBE_CONTROLLER_MANAGER,
    KUBE_SCHEDULER,
    KUBELET,
    KUBE_PROXY,
    KUBECTL,
    COREDNS,
    PROMETHEUS,
)


def key(tool: Tool, go: Go) -> str:
    """Return 16 hex digits over all that decides what the binary is."""
    digest = hashlib.sha256()
    for part in (tool.package, *tool.flags, go.version, os.uname().machine):
        digest.update(part.encode() + b"\0")
    for name in ("go.mod", "go.sum", *sorted(path.name for path in tool.source.glob("*.go"))):
        path = tool.source / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.exists() else b"") + b"\0")
    return digest.hexdigest()[:16]


def cached_path(tool: Tool, go: Go, cache: Path) -> Path:
    """Return where the binary is, or will be."""
    return cache / "binaries" / f"{tool.name}-{key(tool, go)}" / tool.name


def cached_paths(tools: Iterable[Tool], go: Go, cache: Path) -> dict[str, Path]:
    """Return name -> where the binary is, or will be."""
    return {tool.name: cached_path(tool, go, cache) for tool in tools}


def build(tool: Tool, go: Go, cache: Path, reporter: Reporter) -> Path:
    """Return the tool's binary, built now unless the cache has it."""
    path = cached_path(tool, go, cache)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".building")
    with reporter.step(tool.name, "building", key=duration_key(tool)):
        _compile(tool, go, unfinished)
    unfinished.replace(path)
    return path


def build_all(tools: Iterable[Tool], go: Go, cache: Path, reporter: Reporter) -> dict[str, Path]:
    """Build what is missing, one after another (each build uses all cores by itself). Returns name -> path."""
    ordered = tuple(tools)
    if missing := [tool for tool in ordered if not cached_path(tool, go, cache).exists()]:
        reporter.say(announcement(missing, cache))
    return {tool.name: build(tool, go, cache, reporter) for tool in ordered}


def announcement(missing: Sequence[Tool], cache: Path) -> str:
    """Say what is to be built and how long that took here, or takes on two cores if it was never done here."""
    seconds = sum(
        durations.last_seconds(cache, duration_key(tool)) or FIRST_BUILD_SECONDS.get(tool.name, 60) for tool in missing
    )
    names = ", ".join(tool.name for tool in missing)
    return f"Building {len(missing)} programs from their Go modules, about {max(1, round(seconds / 60))} min: {names}."


def duration_key(tool: Tool) -> str:
    """Return the name under which the time of a build is remembered."""
    return f"build {tool.name}"


def _compile(tool: Tool, go: Go, output: Path) -> None:
    nice = (shutil.which("nice") or "nice", "-n", "10")
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    try:
        run(
            *nice, go.path, "build", *tool.flags, "-o", output, tool.package,
            directory=tool.source, environment=settings, timeout_seconds=BUILD_TIMEOUT_SECONDS,
        )  # fmt: skip
    except CommandFailed as error:
        raise HarnessError(
            f"Building {tool.name} failed. Go modules come through the Go proxy; is it reachable?\n{error}"
        ) from error
