"""A model of KServe's Python server, its predictions counted."""

import sys

from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response

from serinus_instrument.adapters.kserve import instrumented


class Doubling(Model):
    def load(self):
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        return get_predict_response(payload, get_predict_input(payload) * 2, self.name)


if __name__ == "__main__":
    model = instrumented(Doubling("iris"), plausible=(0, 10))
    model.load()
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False).start([model])
