"""Draw one ModelDeployment as a tree: revisions, their pods, the step, the evidence and the reason in words.

A pure function of wire objects and the time. Knows no cluster.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from serinus import contract
from serinus.cli.artifact import say_model
from serinus.cli.evidence import make_evidence, say_verdict
from serinus.cli.metrics import say_metrics
from serinus.cli.steps import say_step
from serinus.cli.words import first_sentence, say_age, say_count
from serinus.rollout.assessment import Verdict
from serinus.rollout.fetching import CONTAINER as FETCH_CONTAINER

Wire = Mapping[str, Any]

PHASE_STYLES = {
    contract.PHASE_STABLE: "bold green",
    contract.PHASE_REJECTED: "bold red",
    contract.PHASE_PAUSED: "bold yellow",
}
ROLE_STYLES = {
    "stable": "green",
    "canary": "yellow",
    "retiring": "bright_black",
    "rejected": "red",
    "old": "bright_black",
}
SHOWN_CONDITIONS = (contract.READY, contract.RECONCILING, contract.STALLED, contract.AVAILABLE)
GUIDE = "bright_black"
FINE = frozenset({None, "ContainerCreating", "PodInitializing", "Completed"})
"""What a container waits for, or ended with, that nobody has to mend."""


def make_tree(model_deployment: Wire, reports: Sequence[Wire], pods: Sequence[Wire], now: datetime) -> RenderableType:
    """Return the picture of a ModelDeployment.

    Args:
        model_deployment: The object as the API server gives it.
        reports: Its RolloutReports, in any order.
        pods: Its pods, in any order, of all revisions.
        now: Aware time that ages are counted to.
    """
    status = model_deployment.get("status") or {}
    rows = _Rows(status, reports, pods, now)
    return Group(
        *_make_header(model_deployment, status, now), *rows.trees(), *_make_hints(model_deployment, status, reports)
    )


def condition(status: Wire, type_: str) -> Wire:
    """Return the condition of a type, empty if it is not there."""
    return next((each for each in status.get("conditions") or [] if each.get("type") == type_), {})


def say_reason(status: Wire) -> tuple[str, str]:
    """Return reason and message of the condition that matters now: Stalled, else Reconciling, else Ready."""
    for type_ in (contract.STALLED, contract.RECONCILING):
        found = condition(status, type_)
        if found.get("status") == "True":
            return str(found.get("reason", "")), str(found.get("message", ""))
    found = condition(status, contract.READY)
    return str(found.get("reason", "")), str(found.get("message", ""))


def find_report(reports: Sequence[Wire], name: str | None) -> Wire:
    """Return the report of a name, empty if it is not there."""
    return next((each for each in reports if name and each["metadata"]["name"] == name), {})


def _make_header(model_deployment: Wire, status: Wire, now: datetime) -> list[RenderableType]:
    metadata = model_deployment["metadata"]
    phase = str(status.get("phase") or "Unknown")
    title = Text.assemble(
        (str(metadata["name"]), "bold"),
        (f"  namespace {metadata.get('namespace', 'default')}  ", "bright_black"),
        (phase, PHASE_STYLES.get(phase, "bold cyan")),
    )
    states = [f"{type_} {condition(status, type_).get('status', 'Unknown')}" for type_ in SHOWN_CONDITIONS]
    lines: list[RenderableType] = [title, Text("  ".join(states), style="bright_black")]
    reason, message = say_reason(status)
    if reason:
        lines.append(Text.assemble((reason, "bold"), ": " if message else "", first_sentence(message)))
    if not status:
        lines.append(Text("Nothing has been recorded yet: is the operator running, and does it watch this namespace?"))
    model = status.get("model") or {}
    if said := say_model(model, now):
        lines.append(Text(said, style="bright_black"))
    if model.get("message"):
        lines.append(Text.assemble(("model: ", "magenta"), str(model["message"])))
    metrics = condition(status, contract.METRICS_AVAILABLE)
    if metrics.get("status") == "False":
        lines.append(Text.assemble((f"metrics: {metrics.get('reason')}: ", "magenta"), str(metrics.get("message", ""))))
    canary = (status.get("metrics") or {}).get("canary") or {}
    if canary.get("contradicts") or not canary.get("recognised", True):
        lines += say_metrics(status)
    return lines


class _Rows:
    """The revisions of one ModelDeployment, each with its pods."""

    def __init__(self, status: Wire, reports: Sequence[Wire], pods: Sequence[Wire], now: datetime) -> None:
        self._status, self._reports, self._now = status, reports, now
        self._said = {say_reason(status)[1]}
        self._pods: dict[str, list[Wire]] = {}
        for pod in sorted(pods, key=lambda each: str(each["metadata"]["name"])):
            revision = (pod["metadata"].get("labels") or {}).get(contract.LABEL_REVISION, "")
            self._pods.setdefault(revision, []).append(pod)

    def trees(self) -> list[RenderableType]:
        """Return one tree per revision that matters: stable, canary, retiring, rejected, and any other with pods."""
        status = self._status
        stable, canary = status.get("stable"), status.get("canary")
        trees = [self._stable(stable)] if stable else []
        if canary:
            trees.append(self._canary(canary))
        for retiring in status.get("retiring") or []:
            trees.append(self._plain(retiring["revision"], "retiring", "promoted away from, drains"))
        rejected = status.get("rejected") or []
        if rejected and not (canary and canary["revision"] == rejected[-1]["revision"]):
            trees.append(self._rejected(rejected[-1]))
        shown = {each["revision"] for each in [stable, canary, *(status.get("retiring") or []), *rejected[-1:]] if each}
        trees += [self._plain(revision, "old", "") for revision in self._pods if revision not in shown]
        return list(trees)

    def _stable(self, stable: Wire) -> Tree:
        weight = stable.get("weight")
        said = f"weight {weight} %" if weight is not None else ""
        said += self._read_as("stable")
        return self._node(stable["revision"], "stable", said, self._pod_tree(stable["revision"]))

    def _canary(self, canary: Wire) -> Tree:
        report = find_report(self._reports, canary.get("report"))
        asked, actual = canary.get("weight", 0), canary.get("actualWeight")
        said = f"weight {asked} %" + (f", {actual} % with these pods" if actual not in {None, asked} else "")
        said += f", attempt {canary.get('attempt', 1)}, {say_age(canary.get('since'), self._now)} old"
        said += self._read_as("canary")
        plan = report.get("spec") or {}
        children: list[RenderableType] = [*say_step(canary, plan, self._now)]
        if canary.get("planOutdated"):
            children.append(Text("steps or signals were edited after the start: this attempt keeps its own plan"))
        # Evidence before pods: a short terminal cuts off the end.
        children += self._evidence(report)
        children += self._pod_tree(canary["revision"])
        return self._node(canary["revision"], "canary", said, children)

    def _read_as(self, role: str) -> str:
        found = (self._status.get("metrics") or {}).get(role)
        return f", read as {found['runtime']}{' and ' + found['data'] if found.get('data') else ''}" if found else ""

    def _rejected(self, rejected: Wire) -> Tree:
        ago = say_age(rejected.get("at"), self._now)
        said = f"{rejected.get('reason')}, {ago} ago, attempt {rejected.get('attempt', 1)}"
        report = find_report(self._reports, rejected.get("report"))
        children: list[RenderableType] = [*self._say_once(rejected.get("message"))]
        children += self._evidence(report)
        children += self._pod_tree(rejected["revision"])
        return self._node(rejected["revision"], "rejected", said, children)

    def _plain(self, revision: str, role: str, said: str) -> Tree:
        return self._node(revision, role, said, self._pod_tree(revision))

    def _node(self, revision: str, role: str, said: str, children: Sequence[RenderableType]) -> Tree:
        label = Text.assemble(
            ("● ", ROLE_STYLES[role]), (revision, "bold"), "  ", (role, ROLE_STYLES[role]), "  ", said
        )
        tree = Tree(label, guide_style=GUIDE)
        for child in children:
            tree.add(child)
        return tree

    def _pod_tree(self, revision: str) -> list[RenderableType]:
        pods = self._pods.get(revision, [])
        if not pods:
            return [Text("no pods", style="bright_black")]
        ready = sum(1 for pod in pods if _is_ready(pod))
        tree = Tree(Text(f"{ready} of {say_count(len(pods), 'pod')} ready"), guide_style=GUIDE)
        for pod in pods:
            tree.add(_make_pod(pod, self._now))
        return [tree]

    def _evidence(self, report: Wire) -> list[RenderableType]:
        assessment = (report.get("status") or {}).get("assessment")
        if not assessment:
            return []
        verdict = str(assessment.get("verdict", Verdict.INCONCLUSIVE))
        label = Text.assemble("evidence ", (f"{say_age(assessment.get('at'), self._now)} ago  ", "bright_black"))
        tree = Tree(label.append_text(say_verdict(verdict)), guide_style=GUIDE)
        for line in make_evidence(assessment, report.get("spec") or {}):
            tree.add(line)
        for sentence in self._say_once(assessment.get("because")):
            tree.add(sentence)
        return [tree]

    def _say_once(self, sentence: str | None) -> list[Text]:
        """Return a sentence unless the picture has it already."""
        if not sentence or any(sentence in said for said in self._said):
            return []
        self._said.add(sentence)
        return [Text(first_sentence(sentence))]


def _is_ready(pod: Wire) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _make_pod(pod: Wire, now: datetime) -> Text:
    seen = pod.get("status") or {}
    statuses = [*(seen.get("initContainerStatuses") or []), *(seen.get("containerStatuses") or [])]
    restarts = sum(int(each.get("restartCount") or 0) for each in statuses)
    state, style = _say_pod_state(pod, statuses)
    return Text.assemble(
        (f"{state}  ", style),
        str(pod["metadata"]["name"]),
        (f"  {say_count(restarts, 'restart')}  ", "red" if restarts else "bright_black"),
        (say_age(pod["metadata"].get("creationTimestamp"), now), "bright_black"),
    )


def _say_pod_state(pod: Wire, statuses: Sequence[Wire]) -> tuple[str, str]:
    if pod["metadata"].get("deletionTimestamp"):
        return "ending", "bright_black"
    if _is_ready(pod):
        return "✔ ready", "green"
    for each in statuses:
        state = each.get("state") or {}
        if each.get("name") == FETCH_CONTAINER and "running" in state:
            return "… fetching the model", "yellow"
        for kind in ("waiting", "terminated"):
            if kind in state and state[kind].get("reason") not in FINE:
                return f"✖ {state[kind]['reason']}", "red"
    return "… not ready", "yellow"


def _make_hints(model_deployment: Wire, status: Wire, reports: Sequence[Wire]) -> list[RenderableType]:
    """Return the command that a person would want next, where there is one."""
    metadata = model_deployment["metadata"]
    target = f"{metadata['name']} -n {metadata.get('namespace', 'default')}"
    canary = status.get("canary") or {}
    plan = find_report(reports, canary.get("report")).get("spec") or {}
    steps = plan.get("steps") or []
    step = int(canary.get("step") or 0)
    if canary and canary.get("paused"):
        hint = f"held: go on with  kubectl serinus resume {target}"
    elif canary and step < len(steps) and steps[step].get("kind") == "approval":
        hint = f"waits for a person:  kubectl serinus approve {target}"
    elif canary and canary.get("inconclusive"):
        hint = f"no proof in time: decide with  kubectl serinus promote|abort {target}"
    elif not canary and status.get("phase") == contract.PHASE_REJECTED:
        hint = f"read on with  kubectl serinus why {target}   try once more with  kubectl serinus retry {target}"
    else:
        return []
    return [Text(hint, style="cyan")]
