"""A home-made model server as many people write it: FastAPI, uvicorn, an exporter from the shelf, and one line of ours.

It serves a linear model: ``POST /predict`` with ``{"inputs": [number, …]}`` answers ``{"predictions": [number, …]}``.
What goes wrong is said by the pod template, in environment variables:

===========  ==========================================================================================
EXPORTER     ``instrumentator``, ``starlette`` or ``renamed``: under whose names the requests are counted; the last is
             starlette-exporter with a prefix that nobody knows
ANSWER       ``error``: 500 to every prediction; ``shape``: 200 with another key and a text for a number
ERROR_BELOW  inputs below are answered with 500
SHIFT        added to every prediction: a model that was trained anew on other data
SHIFT_ABOVE  added only for inputs above
WILD_ABOVE   inputs above get a prediction that cannot be true
MODEL        path of a JSON file with ``slope``, read at the start; a built-in model if absent
===========  ==========================================================================================

``scorer_asked_total{by="users"|"gates"}`` counts predictions that were asked for, so that a test can see at the server
itself what reached it. The probes at ``/healthz`` are counted by the exporters, as they are at home.
"""

import json
import os
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from prometheus_client import Counter
from prometheus_fastapi_instrumentator import Instrumentator
from starlette_exporter import PrometheusMiddleware, handle_metrics

from serinus_instrument import InstrumentMiddleware, instrument

EXPORTER = os.environ.get("EXPORTER", "instrumentator")
ANSWER = os.environ.get("ANSWER", "right")
ERROR_BELOW = float(os.environ.get("ERROR_BELOW", "-inf"))
SHIFT = float(os.environ.get("SHIFT", "0"))
SHIFT_ABOVE = float(os.environ.get("SHIFT_ABOVE", "-inf"))
WILD_ABOVE = float(os.environ.get("WILD_ABOVE", "inf"))
MODEL = os.environ.get("MODEL", "")
IDENTITY = {"x-pod": os.environ.get("POD_NAME", ""), "x-revision": os.environ.get("REVISION", "")}
GATE = "x-serinus-gate"
WILD = -1e6
# What the model was trained on: inputs from 0 to 10, as many of each.
LEARNT = {"edges": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], "counts": [100] * 10}
PROFILE = {"schema": 1, "prediction": LEARNT, "features": {"x": LEARNT}}


class Line:
    """The model: a line through the origin."""

    def __init__(self, slope: float) -> None:
        self._slope = slope

    def predict(self, rows: list[list[float]]) -> list[float]:
        """Return one number for each row of one input."""
        return [WILD if x > WILD_ABOVE else self._slope * x + SHIFT * (x > SHIFT_ABOVE) for (x,) in rows]


def load_model() -> Line:
    """Read the model from its file."""
    return Line(json.loads(Path(MODEL).read_text())["slope"] if MODEL else 1.0)


app = FastAPI()
os.environ.setdefault("SERINUS_OUTCOMES_TOKEN", "known-to-the-tests")
app.add_middleware(InstrumentMiddleware)
model = instrument(load_model(), profile=PROFILE, plausible=(-100, 100), features=("x",), tolerance=0.5)
asked = Counter("scorer_asked", "Predictions that were asked for.", ["by"])
asked_by = {by: asked.labels(by) for by in ("users", "gates")}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer the probes."""
    return {"status": "ok"}


@app.post("/predict")
async def predict(request: Request) -> JSONResponse:
    """Predict."""
    asked_by["gates" if GATE in request.headers else "users"].inc()
    inputs = [float(each) for each in (await request.json())["inputs"]]
    if ANSWER == "error" or any(each < ERROR_BELOW for each in inputs):
        return JSONResponse({"error": "the model raised ValueError"}, 500, IDENTITY)
    body: dict[str, Any] = {"predictions": model.predict([[each] for each in inputs])}
    if ANSWER == "shape":
        body = {"outputs": [f"about {each:g}" for each in body["predictions"]]}
    return JSONResponse(body, headers=IDENTITY)


if EXPORTER == "instrumentator":
    Instrumentator().instrument(app).expose(app)
else:
    app.add_middleware(PrometheusMiddleware, prefix="acme" if EXPORTER == "renamed" else "starlette")
    app.add_route("/metrics", handle_metrics)

if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=8080, log_level="warning")
