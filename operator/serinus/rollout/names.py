"""Derive the names of children. Deterministic, so that doubling a write is a no-op."""

from serinus import contract


def child_name(name: str, revision: str) -> str:
    """Return the name of a revision's Deployment and ControllerRevision."""
    return f"{name}-{revision}"


def report_name(name: str, revision: str, attempt: int) -> str:
    """Return the name of the RolloutReport of one attempt."""
    return f"{name}-{revision}-{attempt}"


def config_map_copy_name(config_map: str, revision: str) -> str:
    """Return the name of the copy of a tracked ConfigMap that belongs to a revision."""
    return f"{config_map}-{revision}"


def lookup_name(name: str, revision: str) -> str:
    """Return the name of the Job that looks up a revision's model; a Job's name has at most 63 characters."""
    return f"{name}-{revision[: contract.REVISION_LENGTH]}-lookup"


def stable_service_name(service: str) -> str:
    """Return the name of the Service that always reaches stable."""
    return f"{service}-stable"


def canary_service_name(service: str) -> str:
    """Return the name of the Service that reaches the canary (stable while there is none)."""
    return f"{service}-canary"
