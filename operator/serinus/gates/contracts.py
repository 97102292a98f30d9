"""Read what a model server says of its inputs and outputs, and compare two of them. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from serinus.gates.answers import Answer, shortened
from serinus.rollout.smoke import GateRequest

_SIGNATURE = "serving_default"
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One input or output."""

    datatype: str
    shape: tuple[int, ...]
    """-1 stands for any size."""

    def __str__(self) -> str:
        return shortened(f"{self.datatype}[{', '.join(map(str, self.shape))}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContract:
    """What goes into a model and what comes out, by name."""

    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    outputs: Mapping[str, Tensor] = field(default_factory=dict)

    def is_empty(self) -> bool:
        """Tell whether a server tells nothing: KServe and MLServer may know no more."""
        return not (self.inputs or self.outputs)


def contract_request(protocol: str, quoted: str) -> GateRequest | None:
    """Return the request for a model's metadata; None where the protocol has none. The name is quoted for a path."""
    path = {"v2": f"/v2/models/{quoted}", "v1": f"/v1/models/{quoted}/metadata"}.get(protocol)
    return None if path is None else GateRequest(path=path, method="GET")


def read_contract(protocol: str, answer: Answer) -> ModelContract:
    """Return the contract that an answer tells; an empty one where it tells none."""
    if answer.status != 200 or answer.is_cut:
        return ModelContract()
    try:
        body = json.loads(answer.body)
        if protocol == "v2":
            return ModelContract(inputs=_v2(body.get("inputs")), outputs=_v2(body.get("outputs")))
        signatures = body["metadata"]["signature_def"]["signature_def"]
        signature = signatures.get(_SIGNATURE) or next(iter(signatures.values()))
        return ModelContract(inputs=_tensorflow(signature["inputs"]), outputs=_tensorflow(signature["outputs"]))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError, StopIteration, OverflowError):
        return ModelContract()


def _v2(tensors: Any) -> dict[str, Tensor]:
    return {
        str(each["name"]): Tensor(datatype=str(each.get("datatype")), shape=tuple(map(int, each.get("shape") or ())))
        for each in tensors or ()
    }


def _tensorflow(tensors: Any) -> dict[str, Tensor]:
    return {
        str(name): Tensor(
            datatype=str(each.get("dtype")),
            shape=tuple(int(side["size"]) for side in (each.get("tensor_shape") or {}).get("dim") or ()),
        )
        for name, each in tensors.items()
    }


def breaks(canary: ModelContract, stable: ModelContract) -> str:
    """Return how the canary breaks what stable's callers rely on; empty if it does not.

    A new output breaks nobody; a new input does, because nobody sends it.
    """
    if canary.is_empty():
        return "it no longer tells its inputs and outputs, which stable does"
    found = [*_changes("input", canary.inputs, stable.inputs), *_changes("output", canary.outputs, stable.outputs)]
    found += [
        f"input {shortened(name)} ({canary.inputs[name]}) is new" for name in canary.inputs if name not in stable.inputs
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _changes(what: str, canary: Mapping[str, Tensor], stable: Mapping[str, Tensor]) -> Iterator[str]:
    for name, before in stable.items():
        after = canary.get(name)
        if after is None:
            yield f"{what} {shortened(name)} ({before}) is gone"
        elif not _fits(after, before):
            yield f"{what} {shortened(name)} is {after}, was {before}"


def _fits(after: Tensor, before: Tensor) -> bool:
    """Tell whether two tensors are the same; -1 on either side stands for any size."""
    return (
        after.datatype == before.datatype
        and len(after.shape) == len(before.shape)
        and all(-1 in pair or pair[0] == pair[1] for pair in zip(after.shape, before.shape, strict=True))
    )
