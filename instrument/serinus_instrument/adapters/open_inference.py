"""Read requests and answers of the V1 and V2 (Open Inference) protocols, as servers hand them to models.

Goes by attributes, so that it serves MLServer's and KServe's classes and imports neither.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serinus_instrument.gating import marked, uncounted
from serinus_instrument.recorder import Recorder

PROBABILITIES = "predict_proba"
"""What scikit-learn's runtimes call an output with a column per class."""


def record_tensors(recorder: Recorder, payload: Any, answer: Any, headers: Mapping[str, Any] | None) -> None:
    """Count one call.

    Args:
        recorder: of the model.
        payload: the request as the server handed it over.
        answer: what the model made of it.
        headers: of the request; one that a gate marked is not counted.
    """
    try:
        with uncounted(marked(headers)):
            values, probabilities = output_of(answer)
            recorder.record(input_of(payload), values, probabilities)
    except Exception as error:
        recorder.trouble("internal", f"a call could not be counted: {error!r}")


def input_of(payload: Any) -> Any:
    """Return the inputs of a request as rows or named columns; whatever is no request comes back as it is."""
    tensors = getattr(payload, "inputs", None)
    if tensors is not None:
        return _columns(tensors)
    if isinstance(payload, Mapping):
        for key in ("instances", "inputs"):
            if key in payload:
                return payload[key]
    return payload


def output_of(answer: Any) -> tuple[Any, bool]:
    """Return the outputs of an answer, and whether they are probabilities with a column per class."""
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping):
        answer = answer[0]  # KServe's models may return headers beside it
    tensors = getattr(answer, "outputs", None)
    if tensors is not None:
        found = {str(each.name): _values(each) for each in tensors}
        if len(found) == 1:
            (name, values), *_ = found.items()
            return values, name == PROBABILITIES
        return found, False
    if isinstance(answer, Mapping) and "predictions" in answer:
        return answer["predictions"], False
    return answer, False


def _columns(tensors: Sequence[Any]) -> Any:
    """Return a matrix if there is one tensor with two dimensions, else a column per tensor."""
    if len(tensors) == 1 and len(tensors[0].shape) > 1 and tensors[0].shape[-1] != 1:
        return _values(tensors[0])
    columns = {str(each.name): _values(each) for each in tensors}
    return {name: _flat(values) for name, values in columns.items()}


def _values(tensor: Any) -> Any:
    data = tensor.as_numpy() if hasattr(tensor, "as_numpy") else getattr(tensor.data, "root", tensor.data)
    if tensor.datatype == "BYTES":
        flat = np.asarray(data, dtype=object).reshape(-1)
        texts = [each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in flat.tolist()]
        return np.asarray(texts, dtype=object).reshape(_shape(tensor, len(texts)))
    array = np.asarray(data)
    return array.reshape(_shape(tensor, array.size))


def _shape(tensor: Any, size: int) -> tuple[int, ...]:
    shape = tuple(int(each) for each in tensor.shape)
    return shape if int(np.prod(shape)) == size else (size,)


def _flat(values: Any) -> Any:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
