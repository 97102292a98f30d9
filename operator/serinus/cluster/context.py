"""Which namespace a person's kubeconfig points to. For the command line; a pod has no context."""

from kubernetes.config import ConfigException, list_kube_config_contexts


def current_namespace() -> str:
    """Return the namespace of the current kubeconfig context; ``default`` where none is set."""
    try:
        _, active = list_kube_config_contexts()  # type: ignore[no-untyped-call]
    except (ConfigException, OSError):
        return "default"
    return str((active or {}).get("context", {}).get("namespace") or "default")
