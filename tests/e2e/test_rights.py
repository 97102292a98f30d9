"""The operator works with its ServiceAccount's rights alone, and these are few."""

import pytest

from e2e.installation import SERVICE_ACCOUNT
from e2e.place import Place

FORBIDDEN = [
    ("get", "secrets"),
    ("create", "pods"),
    ("delete", "pods"),
    ("create", "pods/exec"),
    ("update", "modeldeployments.serinus.dev"),
    ("patch", "modeldeployments.serinus.dev"),
    ("delete", "modeldeployments.serinus.dev"),
    ("create", "roles.rbac.authorization.k8s.io"),
    ("*", "*"),
]


@pytest.mark.parametrize(("verb", "resource"), FORBIDDEN)
def test_operator_may_not(place: Place, namespace: str, verb: str, resource: str) -> None:
    account = f"system:serviceaccount:{namespace}:{SERVICE_ACCOUNT}"
    status, answer = place.kubectl.try_run("auth", "can-i", verb, resource, "-n", namespace, f"--as={account}")
    assert (status, answer.strip()) == (1, "no")
