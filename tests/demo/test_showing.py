"""What the demo prints and records, and where it would bring its images."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from demo.counts import Counts, Mode, Tally
from demo.place import importer
from demo.recording import write_recording
from demo.stage import Scene, say_load, say_scene
from rich.text import Text

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def scene(status: dict[str, Any], observed: int = 1) -> Scene:
    found = {"metadata": {"name": "digits", "generation": 1}, "status": {**status, "observedGeneration": observed}}
    return Scene(model_deployment=found, reports=(), pods=(), counts=None, at=NOW)


def test_a_line_says_where_the_rollout_stands() -> None:
    canary = {"revision": "x7mn2pqr5s", "step": 1, "state": "Analysing", "weight": 50, "actualWeight": 40}
    conditions = [{"type": "Reconciling", "status": "True", "reason": "Analysing", "message": "gathering evidence"}]
    line = say_scene(scene({"phase": "Progressing", "canary": canary, "conditions": conditions}))
    assert line == (
        "Progressing, revision x7mn2pqr5s at step 2, Analysing, weight 50 % asked, 40 % actual: "
        "Analysing gathering evidence"
    )


def test_a_scene_is_settled_once_the_operator_has_seen_the_spec() -> None:
    assert scene({}, observed=1).is_settled()
    assert not scene({}, observed=0).is_settled()


def test_new_and_kept_connections_are_said_apart() -> None:
    new, kept = Tally(sent=1200), Tally(sent=400)
    line = say_load(Counts(modes={Mode.NEW: new, Mode.KEPT: kept}, revisions={}, pods={}, elapsed_seconds=1)).plain
    assert "new connections: 1,200 sent" in line
    assert "kept-alive: 400 sent" in line


@pytest.mark.parametrize(
    ("context", "program"), [("kind-dev", "kind"), ("k3d-dev", "k3d"), ("minikube", "minikube"), ("prod-eu", None)]
)
def test_images_go_where_the_context_says(context: str, program: str | None) -> None:
    command = importer(context, "image.tar")
    assert (command[0] if command else None) == program


def test_a_recording_holds_every_frame_and_fetches_nothing(tmp_path: Path) -> None:
    target = tmp_path / "images" / "tree.svg"
    write_recording({"first": Text("promoted"), "second": Text("rejected")}, "title", target)
    svg = target.read_text()
    assert all(word in svg for word in ("first", "promoted", "second", "rejected", "title"))
    assert svg.count("http") == svg.count("http://www.w3.org/2000/svg")
    assert "font-face" not in svg
