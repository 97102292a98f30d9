"""A small model server that tells Prometheus what it predicts: FastAPI, and two lines of serinus-instrument.

``POST /predict`` with ``{"rows": [{"amount": 12.5, "hour": 14, "country": "de"}]}`` answers ``{"predictions": [0.1]}``.
The model is a file of weights, and its training profile lies beside it.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator

from serinus_instrument import InstrumentMiddleware, instrument

FOLDER = Path(os.environ.get("SERINUS_MODEL_DIR", Path(__file__).parent))
os.environ.setdefault("SERINUS_MODEL_DIR", str(FOLDER))


class Fraud:
    """A logistic regression."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self._weights = weights

    def predict(self, rows: list[dict[str, Any]]) -> list[float]:
        """Return the chance of fraud per row."""
        return [self._chance(row) for row in rows]

    def _chance(self, row: dict[str, Any]) -> float:
        known = self._weights
        amount, hour = row["amount"] or 0.0, row["hour"]
        logit = known["bias"] + known["amount"] * amount + known["night"] * (hour < 6)
        return 1 / (1 + math.exp(-logit - known["country"].get(row["country"], 0.0)))


weights = json.loads((FOLDER / "model.json").read_text())
model = instrument(Fraud(weights), plausible=(0, 1), threshold=0.5)  # the first line

app = FastAPI()
Instrumentator().instrument(app).expose(app)
app.add_middleware(InstrumentMiddleware)  # the second one


@app.post("/predict")
def predict(body: dict[str, Any]) -> dict[str, list[float]]:
    """Answer a request."""
    return {"predictions": model.predict(body["rows"])}


@app.get("/healthz")
def healthz() -> dict[str, bool]:
    """Answer a probe."""
    return {"ready": True}
