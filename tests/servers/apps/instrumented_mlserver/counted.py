"""An MLServer runtime, its predictions counted."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from serinus_instrument.adapters.mlserver import instrumented


@instrumented(plausible=(0, 10))
class Doubling(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        values = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", values * 2)])
