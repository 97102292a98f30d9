"""What would be started is a value: comparable, and complete."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cluster import binaries, components, durations, prometheus, record
from cluster.binaries import Tool
from cluster.paths import Layout
from cluster.record import Record
from cluster.toolchain import Go

LAYOUT = Layout(state=Path("/state"), cache=Path("/cache"))
GO = Go(path=Path("/go"), version="go1.26.0")
TOOLS = binaries.CLUSTER_TOOLS


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "go.mod").write_text("module x\n\nrequire example.test/y v1.2.3 // indirect\n")
    (tmp_path / "module" / "main.go").write_text("package main\n")
    return Tool(name="x", module="module", package=".", directory=tmp_path)


def test_every_binary_of_a_daemon_is_built() -> None:
    ours = {Path(daemon.argv[0]).name for daemon in components.every(LAYOUT) if daemon.argv[0].startswith("/")}

    assert ours | {"kubectl", "pause"} == {tool.name for tool in TOOLS}


def test_each_component_has_a_fingerprint_of_its_own() -> None:
    found = components.fingerprints(LAYOUT, binaries.cached_paths(TOOLS, GO, LAYOUT.cache))

    assert set(components.NAMES) <= set(found)
    assert len(set(found.values())) == len(found)


def test_fingerprints_do_not_depend_on_where_the_cache_is() -> None:
    elsewhere = components.fingerprints(LAYOUT, binaries.cached_paths(TOOLS, GO, Path("/elsewhere")))

    assert elsewhere == components.fingerprints(LAYOUT, binaries.cached_paths(TOOLS, GO, LAYOUT.cache))


def test_another_toolchain_is_told_by_the_components_that_it_builds() -> None:
    newer = replace(GO, version="go1.26.1")
    before, after = (
        components.fingerprints(LAYOUT, binaries.cached_paths(TOOLS, go, LAYOUT.cache)) for go in (GO, newer)
    )

    found = record.differences(Record(fingerprints=before, started_at="", checkout=""), after)
    assert set(components.NAMES) - set(found) == {"containerd"}


@pytest.mark.parametrize(
    "change",
    [
        lambda tool: replace(tool, tags=("extra",)),
        lambda tool: replace(tool, variables=(("v", "1"),)),
        lambda tool: replace(tool, package="./cmd"),
        lambda tool: (tool.source / "go.sum").write_text("h1:x\n") and tool,
        lambda tool: (tool.source / "main.go").write_text("package main // x\n") and tool,
    ],
    ids=["tags", "variables", "package", "go.sum", "source"],
)
def test_binary_is_another_when_what_it_is_built_from_changes(tool: Tool, change: object) -> None:
    before = binaries.key(tool, GO)
    assert callable(change)

    assert binaries.key(change(tool), GO) != before


def test_what_will_be_built_is_announced_with_the_time_it_took(tmp_path: Path) -> None:
    first = binaries.announcement(TOOLS, tmp_path)
    assert first.startswith(f"Building {len(TOOLS)} programs from their Go modules, about 17 min: pause, etcd, ")

    durations.remember(tmp_path, binaries.duration_key(binaries.ETCD), 120)
    assert "about 2 min: etcd." in binaries.announcement([binaries.ETCD], tmp_path)


def test_module_version_is_read_from_go_mod(tool: Tool) -> None:
    assert binaries.module_version(tool.source, "example.test/y") == "v1.2.3"


def test_kubernetes_says_its_version() -> None:
    version = binaries.module_version(binaries.KUBELET.source, "k8s.io/kubernetes")

    assert ("k8s.io/component-base/version.gitVersion", version) in binaries.KUBELET.variables
    assert version.startswith("v1.36.")


def test_every_file_of_a_daemon_is_named_on_a_command_line_or_in_another_file() -> None:
    for daemon in components.every(LAYOUT):
        said = " ".join([*daemon.argv, *daemon.files.values()])
        assert [path for path in daemon.files if str(path) not in said and str(path.parent) not in said] == []


def test_prometheus_scrapes_once_a_second_and_only_pods_that_run() -> None:
    (content,) = prometheus.daemon(LAYOUT).files.values()
    parsed = yaml.safe_load(content)

    assert parsed["global"] == {"scrape_interval": "1s", "scrape_timeout": "1s"}
    labels = {rule["target_label"] for rule in parsed["scrape_configs"][0]["relabel_configs"] if "target_label" in rule}
    assert labels == {"__scheme__", "__metrics_path__", "__address__", "namespace", "pod"}


def test_durations_are_remembered(tmp_path: Path) -> None:
    assert durations.last_seconds(tmp_path, "build x") is None
    durations.remember(tmp_path, "build x", 12.34)
    durations.remember(tmp_path, "build y", 1)

    assert durations.last_seconds(tmp_path, "build x") == 12.3


def test_damaged_durations_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "durations.json").write_text("{")

    assert durations.last_seconds(tmp_path, "build x") is None
