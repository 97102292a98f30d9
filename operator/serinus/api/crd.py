"""Make the CustomResourceDefinitions from the wire models: ``python -m serinus.api.crd crds/``.

The files in ``crds/`` are the only copy; a test compares them with what this module makes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from serinus import contract
from serinus.api.attempt import RolloutReportSpec, RolloutReportStatus
from serinus.api.parse import MAX_NAME_LENGTH, NAME_ADVICE
from serinus.api.schema import Schema, structural_schema
from serinus.api.spec import ClusterRolloutPolicySpec, ModelDeploymentSpec, RolloutPolicySpec
from serinus.api.status import ModelDeploymentStatus
from serinus.api.wire import LABEL_PATTERN, VALIDATIONS

NOTICE = "# Made from operator/serinus/api by `make crds`. Edit there, not here.\n"

Column = dict[str, Any]


def _column(name: str, path: str, type_: str = "string", *, wide: bool = False, description: str = "") -> Column:
    column: Column = {"name": name, "type": type_, "jsonPath": path}
    if description:
        column["description"] = description
    if wide:
        column["priority"] = 1
    return column


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


_AGE = _column("Age", ".metadata.creationTimestamp", "date")
_MODEL_DEPLOYMENT_COLUMNS = (
    _column("Phase", ".status.phase"),
    _column("Stable", ".status.stable.revision", description="The revision that serves"),
    _column("Canary", ".status.canary.revision", description="The revision that is being tried"),
    _column("Weight", ".status.canary.weight", "integer", description="Percent of the traffic for the canary"),
    _column("Ready", _condition(contract.READY, "status")),
    _AGE,
    _column("Reason", _condition(contract.READY, "reason"), wide=True),
    _column("Message", _condition(contract.READY, "message"), wide=True),
)
_REPORT_COLUMNS = (
    _column("Model", ".spec.modelDeployment"),
    _column("Revision", ".spec.revision"),
    _column("Attempt", ".spec.attempt", "integer"),
    _column("Verdict", ".status.assessment.verdict", description="The judge's newest answer"),
    _column("Outcome", ".status.outcome.result", description="How the attempt ended"),
    _column("Reason", ".status.outcome.reason"),
    _AGE,
    _column("Message", ".status.outcome.message", wide=True),
)
_NOT_READ = "Reserved: this version does not read it, and refuses a ModelDeployment that names a policy."
_NAME_RULE = {
    "rule": f"size(self.metadata.name) <= {MAX_NAME_LENGTH} && self.metadata.name.matches('{LABEL_PATTERN}')",
    "message": f"metadata.name: {NAME_ADVICE}",
}

# A named policy does nothing until a ModelDeployment names it, which is refused; this one would apply unnamed.
_NO_DEFAULT_YET = {
    "rule": "self.metadata.name != 'default'",
    "message": "policies are not supported yet, and one named default would have to hold for every ModelDeployment: "
    "write the settings into the ModelDeployments",
}


def _root(description: str, spec: Schema, status: Schema | None) -> Schema:
    properties: Schema = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    if status is not None:
        properties["status"] = status
    return {"description": description, "type": "object", "required": ["spec"], "properties": properties}


def _definition(
    kind: str,
    plural: str,
    *,
    short: Sequence[str],
    root: Schema,
    columns: Sequence[Column] = (_AGE,),
    scope: str = "Namespaced",
    categories: Sequence[str] = ("serinus",),
    subresources: Schema | None = None,
) -> dict[str, Any]:
    version = {
        "name": contract.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(columns),
        "schema": {"openAPIV3Schema": root},
    }
    if subresources is not None:
        version["subresources"] = subresources
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{contract.GROUP}"},
        "spec": {
            "group": contract.GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": list(short),
                "categories": list(categories),
            },
            "versions": [version],
        },
    }


def make_model_deployment_crd() -> dict[str, Any]:
    """Make the CRD of ModelDeployment."""
    root = _root(
        "One model: what to serve, how traffic is split, how a new revision gets out.",
        structural_schema(ModelDeploymentSpec),
        structural_schema(ModelDeploymentStatus),
    )
    root[VALIDATIONS] = [_NAME_RULE]
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    return _definition(
        contract.KIND_MODEL_DEPLOYMENT,
        contract.PLURAL_MODEL_DEPLOYMENTS,
        short=("md", "mdep"),
        root=root,
        columns=_MODEL_DEPLOYMENT_COLUMNS,
        categories=("all", "serinus"),
        subresources={"status": {}, "scale": scale},
    )


def make_rollout_policy_crd() -> dict[str, Any]:
    """Make the CRD of RolloutPolicy."""
    return _definition(
        contract.KIND_ROLLOUT_POLICY,
        contract.PLURAL_ROLLOUT_POLICIES,
        short=("rp",),
        root=_root(
            f"Rollout settings for many ModelDeployments. {_NOT_READ}", structural_schema(RolloutPolicySpec), None
        ),
    )


def make_cluster_rollout_policy_crd() -> dict[str, Any]:
    """Make the CRD of ClusterRolloutPolicy."""
    description = f"Rollout settings for all namespaces. {_NOT_READ}"
    root = _root(description, structural_schema(ClusterRolloutPolicySpec), None)
    root[VALIDATIONS] = [_NO_DEFAULT_YET]
    return _definition(
        contract.KIND_CLUSTER_ROLLOUT_POLICY,
        contract.PLURAL_CLUSTER_ROLLOUT_POLICIES,
        short=("crp",),
        scope="Cluster",
        root=root,
    )


def make_rollout_report_crd() -> dict[str, Any]:
    """Make the CRD of RolloutReport."""
    return _definition(
        contract.KIND_ROLLOUT_REPORT,
        contract.PLURAL_ROLLOUT_REPORTS,
        short=("rr",),
        columns=_REPORT_COLUMNS,
        subresources={"status": {}},
        root=_root(
            "One attempt to roll out a revision: its frozen plan, its evidence, every decision with its reason.",
            structural_schema(RolloutReportSpec),
            structural_schema(RolloutReportStatus),
        ),
    )


def make_crds() -> dict[str, dict[str, Any]]:
    """Make all four CRDs, by file name."""
    crds = (
        make_model_deployment_crd(),
        make_rollout_policy_crd(),
        make_cluster_rollout_policy_crd(),
        make_rollout_report_crd(),
    )
    return {f"{contract.GROUP}_{each['spec']['names']['plural']}.yaml": each for each in crds}


def write_yaml(crd: dict[str, Any]) -> str:
    """Return the text of a file in ``crds/``."""
    return NOTICE + yaml.dump(crd, Dumper=_NoAliases, sort_keys=False, width=110, allow_unicode=True)


class _NoAliases(yaml.SafeDumper):
    """Writes what is used twice twice: kubectl reads aliases, people do not."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def main(arguments: Sequence[str]) -> int:
    """Write the files into the folder that is named, and return an exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m serinus.api.crd FOLDER\n")
        return 2
    folder = Path(arguments[0])
    for name, crd in make_crds().items():
        (folder / name).write_text(write_yaml(crd), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
