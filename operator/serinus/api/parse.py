"""From the body of a ModelDeployment to what it asks for. Knows the wire; does no I/O and reads no status."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from serinus import contract
from serinus.api import desired
from serinus.api.analysis import Analysis
from serinus.api.rollout import Rollout
from serinus.api.spec import ModelDeploymentSpec
from serinus.api.supported import check_supported
from serinus.api.wire import LABEL_PATTERN
from serinus.errors import InvalidSpec
from serinus.rollout.types import Command, Desired

MAX_NAME_LENGTH = 45
NAME_ADVICE = (
    f"a name has at most {MAX_NAME_LENGTH} characters, starts with a letter and has only lower-case letters, "
    "digits and '-': the names of pods and Services are made from it"
)
MAX_COMMAND_LENGTH = 128
MAX_ERRORS_SHOWN = 5

T = TypeVar("T")

_SENTENCES = {
    "extra_forbidden": "is no field of ModelDeployment: remove it, or check its spelling",
    "missing": "is required: add it",
}


def _path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part not in ("int", "str"))
    return "spec" + "".join(parts)


def _sentence(error: ValidationError) -> str:
    found = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        text = _SENTENCES.get(each["type"], each["msg"])
        found[_path(each["loc"])] = text.removeprefix("Value error, ").replace("Input should", "should")
    shown = [f"{path}: {text}" for path, text in found.items()]
    more = f"; and {len(shown) - MAX_ERRORS_SHOWN} more" if len(shown) > MAX_ERRORS_SHOWN else ""
    return "; ".join(shown[:MAX_ERRORS_SHOWN]) + more


def parse_spec(body: Mapping[str, Any]) -> ModelDeploymentSpec:
    """Parse the spec strictly, whether or not all of it is built.

    Raises:
        InvalidSpec: with the path of each wrong field and a sentence that says what to do.
    """
    name = body["metadata"]["name"]
    if len(name) > MAX_NAME_LENGTH or not re.fullmatch(LABEL_PATTERN, name):
        raise InvalidSpec(f"metadata.name: {NAME_ADVICE}")
    try:
        return ModelDeploymentSpec.model_validate_json(json.dumps(body.get("spec", {})))
    except ValidationError as error:
        raise InvalidSpec(_sentence(error)) from error


def parse_model_deployment(body: Mapping[str, Any]) -> ModelDeploymentSpec:
    """Parse the spec strictly and check that all of it is built.

    Raises:
        InvalidSpec: the spec cannot be understood.
        NotSupportedYet: it asks for what is not built yet.
    """
    spec = parse_spec(body)
    check_supported(spec, body["metadata"].get("annotations") or {})
    return spec


def make_desired(body: Mapping[str, Any], revision: str, references: desired.References | None = None) -> Desired:
    """Return what spec and annotations ask for, with every default filled in.

    Args:
        body: the ModelDeployment.
        revision: short name of the revision that its spec describes now.
        references: training profiles that ``wanted_references`` named, as far as their ConfigMaps exist.

    Raises:
        InvalidSpec: the spec or a training profile cannot be understood.
        NotSupportedYet: it asks for what is not built yet.
        Stall: the ConfigMap of a training profile does not exist.
    """
    spec = parse_model_deployment(body)
    rollout = spec.rollout or Rollout()
    metadata = body["metadata"]
    return Desired(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        revision=revision,
        replicas=spec.replicas,
        plan=desired.make_plan(rollout, spec.analysis or Analysis(), references),
        service=desired.make_service(spec.service, metadata["name"]),
        paused=bool(rollout.paused),
        commands=read_commands(metadata),
        keep_old=_given(rollout.keep_old, desired.DEFAULT_KEEP_OLD),
        history_limit=_given(rollout.history_limit, desired.DEFAULT_HISTORY_LIMIT),
        revision_history_limit=_given(rollout.revision_history_limit, desired.DEFAULT_REVISION_HISTORY_LIMIT),
    )


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def revision_source(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the spec that makes a revision: what would change the serving pods, as the user wrote it.

    Defaults of the CRD are filled in, so that a written default and an absent field are the same revision.
    Contents of tracked ConfigMaps come on top, see ``tracks_config``.

    Raises:
        InvalidSpec: the spec cannot be understood.
    """
    spec = parse_spec(body)
    wire = body["spec"]
    ports = {"port": spec.service.port, "targetPort": spec.service.target_port}
    return {
        # Pods carry the object's name, and two objects of one template must not share copies of a ConfigMap.
        "name": body["metadata"]["name"],
        "template": wire["template"],
        "runtime": spec.runtime,
        "model": wire.get("model") or {},
        "service": {key: value for key, value in ports.items() if value is not None},
    }


def model_name(body: Mapping[str, Any]) -> str:
    """Return the name that the model server knows: ``spec.model.name``, else the object's own."""
    model = body["spec"].get("model") or {}
    return str(model.get("name") or body["metadata"]["name"])


def tracks_config(body: Mapping[str, Any]) -> bool:
    """Tell whether a change of a ConfigMap that the template mentions is a new revision: the default."""
    rollout = body["spec"].get("rollout") or {}
    return bool(rollout.get("trackConfig", "ConfigMaps") == "ConfigMaps")


def read_commands(metadata: Mapping[str, Any]) -> tuple[Command, ...]:
    """Read the orders that stand in the annotations, with the field manager that wrote each."""
    annotations = metadata.get("annotations") or {}
    commands = []
    for command in contract.COMMANDS:
        key = contract.LABEL_PREFIX + command
        if key in annotations:
            value = annotations[key].strip()[:MAX_COMMAND_LENGTH]
            commands.append(Command(type=command, value=value, manager=_manager_of(metadata, key)))
    return tuple(commands)


def _manager_of(metadata: Mapping[str, Any], annotation: str) -> str:
    owners = [
        entry
        for entry in metadata.get("managedFields") or ()
        if f"f:{annotation}" in entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
    ]
    newest = max(owners, key=lambda entry: entry.get("time", ""), default=None)
    return str(newest["manager"]) if newest and newest.get("manager") else "unknown"
