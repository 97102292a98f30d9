"""Refuse what the schema accepts and the operator does not do yet: nothing that a user wrote is silently ignored."""

from collections.abc import Iterator, Mapping

from serinus import contract
from serinus.api.analysis import Analysis, SignalSpec
from serinus.api.rollout import Rollout, StepSpec
from serinus.api.spec import ModelDeploymentSpec
from serinus.errors import NotSupportedYet
from serinus.signals.presets import preset

_SPEC = {
    "hooks": "remove it; watch the Events and conditions of this object instead",
    "notifications": "remove it; alert on the condition Stalled or on Events instead",
    "on_drift": "remove it; watch for signals with reason PredictionsDrifted, FeaturesDrifted or WorldChanged instead",
    "variants": "remove it; make one ModelDeployment per variant",
    "depends_on": "remove it; apply the objects in the order that you need",
    "deletion_protection": "remove it; restrict the right to delete modeldeployments with RBAC",
}
_ROLLOUT = {
    "bake": "remove it; let the last weight step last longer with atLeast",
    "policy": "write rollout and analysis into this object",
    "min_available": "remove it; canary pods come on top of stable's",
    "canary_replicas": "remove it; the number of canary pods follows from replicas and weight",
}
_STEP = {
    "shadow": "remove the step; begin with a small weight",
    "match": "remove the step; begin with a small weight",
}
_SIGNAL = {
    "disabled": "remove the signal instead; policies are not read yet",
}
# What a gate's plain HTTP/1.1 gets no answer from; in the spelling of Kubernetes and of meshes, in lower case.
_NO_PLAIN_HTTP = frozenset(
    {"https", "tls", "wss", "kubernetes.io/wss", "http2", "h2", "h2c", "kubernetes.io/h2c", "grpc"}
)


def _set(holder: object, path: str, advice: Mapping[str, str]) -> Iterator[str]:
    for attribute, what in advice.items():
        value = getattr(holder, attribute)
        # False and an empty list ask for nothing; a number asks, also when it is zero.
        if not (value is None or value is False or value == ()):
            alias = type(holder).model_fields[attribute].alias  # type: ignore[attr-defined]
            yield f"{path}.{alias} is not supported yet: {what}"


def _traffic(spec: ModelDeploymentSpec) -> Iterator[str]:
    if spec.traffic.split == "Gateway":
        yield "spec.traffic.split Gateway is not supported yet: use split: Replicas"
    if spec.traffic.session_affinity is not None:
        yield "spec.traffic.sessionAffinity is not supported yet: remove it"


def _steps(steps: tuple[StepSpec, ...]) -> Iterator[str]:
    path = "spec.rollout.steps"
    for index, step in enumerate(steps):
        yield from _set(step, f"{path}[{index}]", _STEP)
        if step.weight == 100 and step.at_least is not None:
            yield (
                f"{path}[{index}].atLeast at weight 100 is not supported yet, because nothing would be left to compare "
                "with: put atLeast on the step before"
            )
        if step.weight == 100 and any(later.weight is None for later in steps[index:]):
            yield f"{path}[{index}]: a step after weight 100 is not supported yet: put it before"
    if steps and all(step.weight == 100 for step in steps):
        yield f"{path} without a weight below 100 is not supported yet: begin with a smaller weight, such as 50"


def _gates(spec: ModelDeploymentSpec) -> Iterator[str]:
    """Refuse gates that could ask nobody, or compare nothing."""
    steps = spec.rollout.steps if spec.rollout is not None else None
    gates = {index: each.smoke for index, each in enumerate(steps or ()) if each.smoke is not None}
    if gates and (spec.template.spec.model_extra or {}).get("hostNetwork"):
        yield (
            "spec.template.spec.hostNetwork with a smoke step is not supported yet, because the port may be another "
            "pod's: remove one of them"
        )
    protocol = spec.service.app_protocol if spec.service is not None else None
    if gates and protocol is not None and protocol.lower() in _NO_PLAIN_HTTP:
        yield (
            f"spec.service.appProtocol {protocol} with a smoke step is not supported yet, because canary pods are "
            "asked in plain HTTP/1.1: remove the smoke step, or remove appProtocol if their port speaks that, too"
        )
    serving = preset(spec.runtime).serving
    has_metadata = serving is not None and serving.protocol in {"v1", "v2"}
    for index in [index for index, gate in gates.items() if gate.contract == "Require" and not has_metadata]:
        yield (
            f"spec.rollout.steps[{index}].smoke.contract Require with runtime {spec.runtime} is not supported yet, "
            "because its protocol tells no inputs and outputs: remove contract, or check answers with jsonSchema"
        )


def _rollout(rollout: Rollout) -> Iterator[str]:
    yield from _set(rollout, "spec.rollout", _ROLLOUT)
    if rollout.capacity == "InPlace":
        yield "spec.rollout.capacity InPlace is not supported yet: use Surge"
    yield from _steps(rollout.steps or ())


def _signal(signal: SignalSpec, path: str) -> Iterator[str]:
    yield from _set(signal, path, _SIGNAL)


def _analysis(analysis: Analysis) -> Iterator[str]:
    for index, signal in enumerate(analysis.signals or ()):
        yield from _signal(signal, f"spec.analysis.signals[{index}]")


def check_supported(spec: ModelDeploymentSpec, annotations: Mapping[str, str]) -> None:
    """Check that all that is asked for is built.

    Raises:
        NotSupportedYet: something is not; names each field and says what stands instead.
    """
    found = [*_set(spec, "spec", _SPEC), *_traffic(spec)]
    if spec.rollout is not None:
        found += _rollout(spec.rollout)
        found += _gates(spec)
    if spec.analysis is not None:
        found += _analysis(spec.analysis)
    if contract.ANNOTATION_PIN in annotations:
        found.append(
            f"annotation {contract.ANNOTATION_PIN} is not supported yet: remove it, "
            "and set the spec to what that revision was"
        )
    if found:
        raise NotSupportedYet("; ".join(found))
