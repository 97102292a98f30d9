"""Which cluster of a person's the demo goes to, and what it asks before it touches it."""

import os
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from demo.installation import stop_cluster
from demo.place import claim_place, find_place, only_kubeconfig

KUBECONFIG = {
    "current-context": "kind-lab",
    "contexts": [{"name": "kind-lab", "context": {"cluster": "lab"}}],
    "clusters": [{"name": "lab", "cluster": {"server": "https://127.0.0.1:1"}}],
}


def ask(tmp_path: Path, *, start: bool, answer: str, kubeconfig: str | None = None) -> Result:
    """Look for the place as a person with such a kubeconfig, who gives such an answer."""
    (tmp_path / "config").write_text(yaml.safe_dump(KUBECONFIG))
    (tmp_path / "kubectl").write_text("#!/bin/sh\n")
    (tmp_path / "kubectl").chmod(0o755)
    environment = {
        "CLUSTER": "current",
        "KUBECONFIG": kubeconfig or str(tmp_path / "config"),
        "PATH": str(tmp_path),
        "SERINUS_PROMETHEUS_URL": "http://prometheus:9090",
        "YES": "",
    }

    @click.command()
    def command() -> None:
        place = find_place(start=start)
        assert place is not None
        click.echo(f"goes to {place.kubeconfig}")

    return CliRunner().invoke(command, env=environment, input=f"{answer}\n")


@pytest.mark.parametrize(
    ("start", "question"),
    [(True, "Install the demo into the cluster of"), (False, "Remove the demo from the cluster of")],
)
def test_it_asks_for_what_it_is_about_to_do(tmp_path: Path, start: bool, question: str) -> None:
    agreed = ask(tmp_path, start=start, answer="y")
    assert agreed.output.startswith(f"{question} context 'kind-lab' (https://127.0.0.1:1)?")
    assert f"goes to {tmp_path / 'config'}" in agreed.output
    refused = ask(tmp_path, start=start, answer="n")
    assert refused.exit_code == 1
    assert "nothing was changed" in refused.output
    assert "goes to" not in refused.output


def test_several_kubeconfigs_are_refused_with_what_to_do(tmp_path: Path) -> None:
    both = f"{tmp_path / 'config'}:{tmp_path / 'other'}"
    answer = ask(tmp_path, start=True, answer="y", kubeconfig=both)
    assert answer.exit_code == 1
    assert "KUBECONFIG names 2 files" in answer.output
    assert "--minify --flatten" in answer.output


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("", Path.home() / ".kube" / "config"),
        ("a", Path("a")),
        ("a:", Path("a")),  # kubectl skips the empty ones, too
        (":", Path.home() / ".kube" / "config"),
    ],
)
def test_one_kubeconfig_is_taken_and_none_is_the_usual_one(variable: str, expected: Path) -> None:
    assert only_kubeconfig(variable) == expected


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the repository's own cluster would be, if there were one."""
    monkeypatch.setenv("SERINUS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SERINUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CLUSTER", raising=False)
    return tmp_path / "state"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux stops a cluster")
def test_a_cluster_where_a_demo_plays_is_not_stopped(state: Path) -> None:
    with claim_place():
        assert not stop_cluster()
    assert stop_cluster()


def test_the_cluster_of_a_kubeconfig_is_not_claimed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "current")
    with claim_place():
        assert list(state.parent.iterdir()) == []
