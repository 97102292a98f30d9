"""Two models in one MLServer: ``house`` works, and its ``neighbour`` raises when NEIGHBOUR_FAILS is set.

Each answers ``POST /v2/models/<name>/infer`` with the first number that it was sent, doubled. The answer's headers name
pod and revision; a 500 of MLServer has none.
"""

import os

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput

IDENTITY = {"x-pod": os.environ.get("POD_NAME", ""), "x-revision": os.environ.get("REVISION", "")}


class Doubling(MLModel):
    """Doubles a number."""

    async def load(self) -> bool:
        """There is nothing to load."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Double the first number, or fail as a neighbour."""
        if self.name == "neighbour" and os.environ.get("NEIGHBOUR_FAILS"):
            msg = "the neighbour's model is broken"
            raise RuntimeError(msg)
        number = float(payload.inputs[0].data[0])
        output = ResponseOutput(name="double", shape=[1], datatype="FP64", data=[2 * number])
        headers = {name: value for name, value in IDENTITY.items() if value}
        return InferenceResponse(model_name=self.name, outputs=[output], parameters=Parameters(headers=headers))
