"""Serve a scikit-learn model that reads handwritten digits, name them in words, and count what it sees and says.

Runs inside MLServer, in the demo's pods. The answer's headers ``x-pod`` and ``x-revision`` tell a client which pod
answered; they come from the downward API.
"""

import os

from digits_metrics import INK, PREDICTIONS
from mlserver.codecs import NumpyRequestCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, Parameters
from mlserver_sklearn import SKLearnModel


class Digits(SKLearnModel):
    """Adds the name of each digit, where the model's settings have names."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Predict, and fail as an untested model would: a digit without a name raises IndexError, MLServer says 500."""
        response: InferenceResponse = await super().predict(payload)
        names = self.settings.parameters.extra.get("names")
        if names:
            words = [names[digit] for digit in response.outputs[0].data]
            response.outputs.append(StringCodec.encode_output("name", words))
        for digit in response.outputs[0].data:
            PREDICTIONS.labels(str(digit)).inc()
        for image in self.decode_request(payload, default_codec=NumpyRequestCodec):
            INK.observe(float(image.mean()))
        identity = {"x-pod": os.environ.get("POD_NAME", ""), "x-revision": os.environ.get("REVISION", "")}
        response.parameters = Parameters(headers={name: value for name, value in identity.items() if value})
        return response
