"""A BentoML service, with serinus-instrument."""

import bentoml
from behaviour import answer

from serinus_instrument import instrument
from serinus_instrument.adapters.bentoml import instrumented


class Model:
    def predict(self, rows: list[list[float]]) -> list[float]:
        return [answer(row[0]) for row in rows]


@instrumented
@bentoml.service(name="iris")
class Iris:
    def __init__(self) -> None:
        self.model = instrument(Model(), plausible=(0, 5))

    @bentoml.api
    def predict(self, x: float) -> float:
        return self.model.predict([[x]])[0]
