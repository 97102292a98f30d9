"""The command line against a cluster in memory: what it fetches, writes and says when something is missing."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from cli.test_tree import drawn
from cli.worlds import CANARY, model_deployment, progressing, report
from serinus.cli.main import draw, fetch, fetch_reports, give_order, main
from serinus.cluster.kinds import MODEL_DEPLOYMENT
from support.fake_cluster import FakeCluster


@pytest.fixture
def cluster() -> FakeCluster:
    fake = FakeCluster()
    status = progressing()
    created = fake.create({**model_deployment(), "spec": {}})
    fake.patch_status(MODEL_DEPLOYMENT, "risk", "fraud", status, created["metadata"]["resourceVersion"])
    fake.create(stored(report(), "fraud"))
    fake.create(stored(report(revision="other"), "another"))
    return fake


def stored(wire: dict[str, Any], owner: str) -> dict[str, Any]:
    metadata = {**wire["metadata"], "namespace": "risk", "labels": {"serinus.dev/model-deployment": owner}}
    return {"apiVersion": "serinus.dev/v1alpha1", "kind": "RolloutReport", "metadata": metadata, "spec": wire["spec"]}


def test_the_tree_is_drawn_from_what_the_cluster_has(cluster: FakeCluster) -> None:
    text = drawn(draw(cluster, "risk", "fraud"))
    assert CANARY in text
    assert "step 1 of 2" in text


def test_only_its_own_reports_are_read(cluster: FakeCluster) -> None:
    found = fetch_reports(cluster, "risk", fetch(cluster, "risk", "fraud"))
    assert [each["spec"]["revision"] for each in found] == [CANARY]


def test_an_order_is_one_annotation_and_is_told(cluster: FakeCluster) -> None:
    said = give_order(cluster, "risk", "fraud", "promote")
    annotations = fetch(cluster, "risk", "fraud")["metadata"]["annotations"]
    assert annotations == {"serinus.dev/promote": f"{CANARY}/1"}
    assert f"promote {CANARY}/1" in said


def test_what_is_not_there_is_said(cluster: FakeCluster) -> None:
    with pytest.raises(click.ClickException, match="no ModelDeployment nothing in namespace risk"):
        draw(cluster, "risk", "nothing")


@pytest.mark.parametrize("verb", ["get", "why", "promote", "abort", "retry", "approve", "pause", "resume"])
def test_every_verb_explains_itself(verb: str) -> None:
    answer = CliRunner().invoke(main, [verb, "--help"])
    assert answer.exit_code == 0
    assert "NAME" in answer.output
    assert "--namespace" in answer.output


def test_without_a_way_into_a_cluster_one_sentence_is_said(tmp_path: Any) -> None:
    answer = CliRunner().invoke(main, ["get", "fraud"], env={"KUBECONFIG": str(tmp_path / "none")})
    assert answer.exit_code == 1
    assert "Error: " in answer.output
    assert "Traceback" not in answer.output


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["version"]).output.strip()
