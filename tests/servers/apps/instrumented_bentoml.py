"""A BentoML service, its predictions counted."""

import bentoml
import numpy as np

from serinus_instrument import instrument
from serinus_instrument.adapters.bentoml import instrumented


@instrumented(model="iris")
@bentoml.service(name="iris")
class Iris:
    def __init__(self) -> None:
        self.model = instrument(lambda rows: rows * 2, name="iris", plausible=(0, 10))

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model(rows)
