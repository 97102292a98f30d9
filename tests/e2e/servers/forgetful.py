"""KServe's Python server with a model that names digits, and forgot as many as the environment variable FORGOT says.

``POST /v1/models/digits:predict`` with ``{"instances": [7]}`` answers ``{"predictions": ["seven"]}``. A digit without a
name raises, and the server answers 500, which it counts nowhere: it has no counter of errors.
"""

import os

from kserve import Model, ModelServer

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
IDENTITY = {"x-pod": os.environ.get("POD_NAME", ""), "x-revision": os.environ.get("REVISION", "")}


class Forgetful(Model):
    """Names digits."""

    def load(self) -> bool:
        """Learn the names."""
        self._names = NAMES[: len(NAMES) - int(os.environ.get("FORGOT", "0"))]
        self.ready = True
        return self.ready

    async def predict(self, payload, headers=None, response_headers=None):
        """Name each digit."""
        if response_headers is not None:
            response_headers.update(IDENTITY)
        return {"predictions": [self._names[int(digit)] for digit in payload["instances"]]}


if __name__ == "__main__":
    model = Forgetful("digits")
    model.load()
    ModelServer(workers=1).start([model])
