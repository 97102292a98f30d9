"""A BentoML service."""

import bentoml
from behaviour import answer


@bentoml.service(name="iris")
class Iris:
    @bentoml.api
    def predict(self, x: float) -> float:
        return answer(x)
