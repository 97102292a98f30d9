"""The picture of a ModelDeployment: one text snapshot, and a table of what must be said when."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from cli import worlds
from cli.worlds import CANARY, NOW, STABLE, model_deployment, pod, progressing, rejected, report, signal
from serinus.cli.tree import make_tree

SNAPSHOT = Path(__file__).parent / "tree.txt"
SMOKE = [{"kind": "smoke", "weight": 0, "name": "ask"}, {"kind": "weight", "weight": 50}]
APPROVAL = [{"kind": "approval", "weight": 0}, {"kind": "weight", "weight": 50}]


def drawn(picture: RenderableType, width: int = 200) -> str:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(picture)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def test_the_picture_of_a_rollout_and_of_its_end() -> None:
    pods = [pod(STABLE, number) for number in range(3)] + [pod(CANARY, 1, restarts=1)]
    under_way = make_tree(model_deployment(progressing()), [report()], pods, NOW)
    failing = report(
        signal(evidence=1234.5, safety=0.1, canaryBad=41, verdict="FAIL"),
        signal(name="gpu", kind="Query", action="Observe", evidence=1.0, safety=None, value=71.23, verdict="PASS"),
    )
    rolled_back = make_tree(model_deployment(rejected()), [failing], pods[:3], NOW)
    assert drawn(under_way, 110) + "\n" + drawn(rolled_back, 110) == SNAPSHOT.read_text()


@pytest.mark.parametrize(
    ("status", "reports", "pods", "sentences"),
    [
        pytest.param({}, [], [], ["is the operator running"], id="no status yet"),
        pytest.param(
            progressing(state="WaitingForPods", actualWeight=0),
            [report()],
            [pod(CANARY, 1, ready=False)],
            ["waits for its pods for 2m00s", "0 of 1 pod ready", "… not ready", "weight 25 %, 0 % with these pods"],
            id="pods not ready",
        ),
        pytest.param(
            progressing(),
            [report()],
            [pod(CANARY, 1, ready=False, restarts=4, waiting="CrashLoopBackOff")],
            ["✖ CrashLoopBackOff", "4 restarts"],
            id="crash loop",
        ),
        pytest.param(
            progressing(), [report()], [], ["analysing for 34s of at least 1m00s", "step 1 of 2"], id="analysing"
        ),
        pytest.param(
            progressing(paused=True),
            [report()],
            [],
            ["paused, in this step", "serinus resume fraud -n risk"],
            id="paused",
        ),
        pytest.param(
            progressing(weight=0),
            [report(steps=APPROVAL)],
            [],
            ["waits for approval for 2m00s", "serinus approve fraud -n risk"],
            id="waits for approval",
        ),
        pytest.param(
            progressing(weight=0),
            [report(steps=SMOKE)],
            [],
            ["step 1 of 2", "ask (smoke)", "its pods are asked before any user reaches them, for 2m00s"],
            id="asks its pods",
        ),
        pytest.param(
            progressing(inconclusive=True),
            [report()],
            [],
            ["no proof in time", "promote|abort fraud"],
            id="inconclusive",
        ),
        pytest.param(
            progressing(state="Promoting", step=1),
            [report()],
            [],
            ["promoting for 2m00s", "step 2 of 2"],
            id="promoting",
        ),
        pytest.param(progressing(planOutdated=True), [report()], [], ["keeps its own plan"], id="plan edited"),
        pytest.param(
            rejected(), [], [], ["rejected  ErrorsWorse, 1m00s ago", "41 of 402", "serinus retry fraud"], id="rejected"
        ),
        pytest.param(
            {**progressing(), "retiring": [{"revision": "zzz", "since": "2026-11-22T11:59:00Z"}]},
            [],
            [pod("zzz", 1), pod("qqq", 1)],
            ["zzz  retiring", "qqq  old"],
            id="every revision with pods is shown",
        ),
        pytest.param(
            {
                **progressing(),
                "conditions": worlds.conditions(MetricsAvailable=("False", "PrometheusUnavailable", "no answer")),
            },
            [],
            [],
            ["metrics: PrometheusUnavailable: no answer"],
            id="no metrics",
        ),
    ],
)
def test_what_is_said(
    status: dict[str, Any], reports: list[dict[str, Any]], pods: list[dict[str, Any]], sentences: list[str]
) -> None:
    text = drawn(make_tree(model_deployment(status), reports, pods, NOW))
    for sentence in sentences:
        assert sentence in text


def test_no_sentence_is_said_twice() -> None:
    text = drawn(make_tree(model_deployment(rejected()), [report()], [], NOW))
    assert text.count("41 of 402 canary requests failed") == 1


def test_a_retried_revision_is_shown_once() -> None:
    status = {**rejected(), **progressing(attempt=2, report=f"fraud-{CANARY}-2")}
    text = drawn(make_tree(model_deployment(status), [report(attempt=2)], [], NOW))
    assert text.count(CANARY) == 1


def test_the_artifact_is_named_and_what_keeps_it_from_being_followed() -> None:
    model = {"uri": "s3://models/fraud", "digest": "sha256:" + "ab" * 32, "resolvedAt": "2026-11-22T11:58:00Z"}
    text = drawn(make_tree(model_deployment({**progressing(), "model": model}), [report()], [], NOW))
    assert "model s3://models/fraud  sha256:abababababab  looked up 2m00s ago\n" in text
    claim = {"uri": "pvc://weights/7", "message": "the store gives no answer"}
    text = drawn(make_tree(model_deployment({**progressing(), "model": claim}), [report()], [], NOW))
    assert "model pvc://weights/7\n" in text
    assert "model: the store gives no answer" in text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"running": {}}, "… fetching the model"),
        ({"waiting": {"reason": "CreateContainerConfigError"}}, "✖ CreateContainerConfigError"),
        ({"terminated": {"reason": "Error", "exitCode": 2}}, "✖ Error"),
        ({"terminated": {"reason": "Completed", "exitCode": 0}}, "… not ready"),
    ],
)
def test_a_pod_whose_model_is_on_its_way_says_so(state: dict[str, Any], said: str) -> None:
    waiting = pod(CANARY, 1, ready=False, waiting="PodInitializing")
    waiting["status"]["initContainerStatuses"] = [{"name": "serinus-fetch", "restartCount": 1, "state": state}]
    text = drawn(make_tree(model_deployment(progressing()), [report()], [waiting], NOW))
    assert said in text
    assert "1 restart " in text
