"""The CRDs are taken by a real API server: structural, within the cost budget of CEL, established."""

from typing import Any

import pytest

pytestmark = pytest.mark.api


def test_all_crds_are_established_without_complaint(installed: dict[str, dict[str, Any]]) -> None:
    assert sorted(installed) == ["clusterrolloutpolicies", "modeldeployments", "rolloutpolicies", "rolloutreports"]
    for name, crd in installed.items():
        conditions = {each["type"]: each for each in crd["status"]["conditions"]}
        assert conditions["NamesAccepted"]["status"] == "True", name
        assert "NonStructuralSchema" not in conditions, conditions
