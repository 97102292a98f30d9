"""Readiness and contracts in each protocol, from answers that real servers give."""

import json
from typing import Any

import pytest

from serinus.gates.answers import Answer
from serinus.gates.contracts import ModelContract, Tensor, breaks, contract_request, read_contract
from serinus.gates.readiness import readiness_request, why_not_ready


def answer(body: Any = "", status: int = 200) -> Answer:
    return Answer(status=status, body=body if isinstance(body, str) else json.dumps(body), milliseconds=1)


@pytest.mark.parametrize(
    ("protocol", "probe", "path"),
    [
        ("v1", "/", "/v1/models/a%2Fb"),
        ("v2", "/v2/health/ready", "/v2/models/a%2Fb/ready"),
        ("openai", "/health", "/v1/models"),
        ("openai", "/openai/v1/models", "/openai/v1/models"),
        ("ray", "/-/healthz", "/-/routes"),
        ("bentoml", None, "/readyz"),
        ("torchserve", None, "/ping"),
        ("seldon", "/ready", "/ready"),
        ("http", "/healthz", "/healthz"),
        ("http", None, None),
    ],
)
def test_what_is_asked(protocol: str, probe: str | None, path: str | None) -> None:
    request = readiness_request(protocol, "a%2Fb", probe)
    assert (request and request.path) == path
    assert request is None or request.method == "GET"


AVAILABLE = {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK"}}]}
LOADING = {"model_version_status": [{"version": "1", "state": "LOADING"}]}


@pytest.mark.parametrize(
    ("protocol", "given", "why"),
    [
        ("v1", answer({"name": "m", "ready": True}), ""),
        ("v1", answer({"name": "m", "ready": "True"}), ""),
        ("v1", answer({"name": "m", "ready": False}), "says that the model is not ready"),
        ("v1", answer(AVAILABLE), ""),
        ("v1", answer(LOADING), "says that no version is available: LOADING"),
        ("v1", answer(status=503), "answered 503"),
        ("v2", answer(""), ""),
        ("v2", answer({"name": "m", "ready": True}), ""),
        ("v2", answer("", 400), "answered 400"),
        ("v2", answer("", 404), "does not know the model m (404): set spec.model.name if it has another name"),
        ("openai", answer({"object": "list", "data": [{"id": "m"}]}), ""),
        ("openai", answer({"data": [{"id": "x"}]}), "serves x, not m: set spec.model.name to the name it serves"),
        ("openai", answer("<html>"), "serves no model, not m: set spec.model.name to the name it serves"),
        ("ray", answer({"/iris": "iris"}), ""),
        ("ray", answer({}), "says that no application is deployed"),
        ("ray", answer("unhealthy", 500), "answered 500"),
        ("bentoml", answer("\n"), ""),
        ("torchserve", answer({"status": "Healthy"}), ""),
        ("torchserve", answer({"status": "Partial Healthy"}), "says 'Partial Healthy'"),
        ("torchserve", answer({"status": ["Healthy"]}), "says \"['Healthy']\""),
        ("ray", answer("", 302), "answered 302"),
        ("http", answer("", 302), ""),
        ("http", answer("", 404), "answered 404"),
    ],
)
def test_what_answers_mean(protocol: str, given: Answer, why: str) -> None:
    assert why_not_ready(protocol, "m", given) == why


X = {"name": "x", "datatype": "FP32", "shape": [-1, 64]}
Y = {"name": "y", "datatype": "INT64", "shape": [-1, 1]}
V2 = {"name": "m", "platform": "", "inputs": [X], "outputs": [Y]}
TENSORFLOW = {
    "model_spec": {"name": "m"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {
                    "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}, {"size": "64"}]}}},
                    "outputs": {"y": {"dtype": "DT_INT64", "tensor_shape": {"dim": []}}},
                }
            }
        }
    },
}
CONTRACT = ModelContract(
    inputs={"x": Tensor(datatype="FP32", shape=(-1, 64))}, outputs={"y": Tensor(datatype="INT64", shape=(-1, 1))}
)


def test_contracts_are_read() -> None:
    assert read_contract("v2", answer(V2)) == CONTRACT
    assert read_contract("v1", answer(TENSORFLOW)) == ModelContract(
        inputs={"x": Tensor(datatype="DT_FLOAT", shape=(-1, 64))}, outputs={"y": Tensor(datatype="DT_INT64", shape=())}
    )


@pytest.mark.parametrize(
    ("protocol", "given"),
    [
        ("v2", answer({"name": "m"})),
        ("v2", answer({"name": "m", "inputs": [], "outputs": []})),
        ("v2", answer(V2, 404)),
        ("v2", answer("[]")),
        ("v2", answer('{"inputs": [{"no": "name"}]}')),
        ("v2", answer('{"inputs": [{"name": "x", "shape": [1e400]}]}')),
        ("v1", answer({"error": "no"})),
        ("v1", answer({"metadata": {"signature_def": {"signature_def": {}}}})),
        ("v2", answer("<html>")),
    ],
)
def test_what_tells_nothing_is_an_empty_contract(protocol: str, given: Answer) -> None:
    assert read_contract(protocol, given).is_empty()


def contract(*inputs: dict[str, Any], outputs: tuple[dict[str, Any], ...] = (Y,)) -> ModelContract:
    return read_contract("v2", answer({"inputs": list(inputs), "outputs": list(outputs)}))


@pytest.mark.parametrize(
    ("canary", "broken"),
    [
        (contract(X), ""),
        (contract({**X, "shape": [8, 64]}), ""),
        (contract(X, outputs=(Y, {**Y, "name": "more"})), ""),
        (contract({**X, "shape": [-1, 65]}), "input x is FP32[-1, 65], was FP32[-1, 64]"),
        (contract({**X, "shape": [64]}), "input x is FP32[64], was FP32[-1, 64]"),
        (contract({**X, "datatype": "FP64"}), "input x is FP64[-1, 64], was FP32[-1, 64]"),
        (contract(X, outputs=()), "output y (INT64[-1, 1]) is gone"),
        (contract(X, {**X, "name": "z"}), "input z (FP32[-1, 64]) is new"),
        (ModelContract(), "it no longer tells its inputs and outputs, which stable does"),
    ],
)
def test_what_breaks_a_contract(canary: ModelContract, broken: str) -> None:
    assert breaks(canary, CONTRACT) == broken


def test_where_metadata_is_asked_for() -> None:
    found = {name: contract_request(name, "m") for name in ("v1", "v2", "openai", "http")}
    assert {name: request and request.path for name, request in found.items()} == {
        "v1": "/v1/models/m/metadata",
        "v2": "/v2/models/m",
        "openai": None,
        "http": None,
    }


LONG = "z" * 100_000


@pytest.mark.parametrize(
    "told",
    [
        why_not_ready("openai", "m", answer({"data": [{"id": LONG}]})),
        why_not_ready("torchserve", "m", answer({"status": LONG})),
        why_not_ready("v1", "m", answer({"model_version_status": [{"state": LONG}]})),
        breaks(contract(X, {**X, "name": LONG}), CONTRACT),
        breaks(CONTRACT, contract({**X, "name": LONG})),
        breaks(contract({**X, "shape": [1] * 10_000}), CONTRACT),
        breaks(contract({**X, "datatype": LONG}), CONTRACT),
    ],
)
def test_what_a_server_says_is_told_shortly(told: str) -> None:
    assert 0 < len(told) < 400
