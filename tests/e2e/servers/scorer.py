"""A home-made model server as many people write it: FastAPI, uvicorn, and an exporter of metrics from the shelf.

It serves a linear model: ``POST /predict`` with ``{"inputs": [number, …]}`` answers ``{"predictions": [number, …]}``.
What goes wrong is said by the pod template, in environment variables:

===========  ==========================================================================================
EXPORTER     ``instrumentator``, ``starlette`` or ``none``: under whose names the requests are counted
ANSWER       ``error``: 500 to every prediction; ``shape``: 200 with another key and a text for a number
ERROR_BELOW  inputs below are answered with 500
SHIFT        added to every prediction: a model that was trained anew on other data
WILD_ABOVE   inputs above get a prediction that cannot be true
MODEL        path of a JSON file with ``slope``, read at the start; a built-in model if absent
===========  ==========================================================================================

``GET /served`` tells how many predictions were asked for, those of gates apart, so that a test can see at the server
itself what reached it. The probes at ``/healthz`` are counted by the exporters, as they are at home.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from prometheus_client import REGISTRY
from prometheus_fastapi_instrumentator import Instrumentator
from starlette_exporter import PrometheusMiddleware, handle_metrics

EXPORTER = os.environ.get("EXPORTER", "instrumentator")
ANSWER = os.environ.get("ANSWER", "right")
ERROR_BELOW = float(os.environ.get("ERROR_BELOW", "-inf"))
SHIFT = float(os.environ.get("SHIFT", "0"))
WILD_ABOVE = float(os.environ.get("WILD_ABOVE", "inf"))
MODEL = os.environ.get("MODEL", "")
IDENTITY = {"x-pod": os.environ.get("POD_NAME", ""), "x-revision": os.environ.get("REVISION", "")}
GATE = "x-serinus-gate"
WILD = -1e6


class Line:
    """The model: a line through the origin."""

    def __init__(self, slope: float) -> None:
        self._slope = slope

    def predict(self, inputs: list[float]) -> list[float]:
        """Return one number for each input."""
        return [WILD if each > WILD_ABOVE else self._slope * each + SHIFT for each in inputs]


def load_model() -> Line:
    """Read the model from its file."""
    return Line(json.loads(Path(MODEL).read_text())["slope"] if MODEL else 1.0)


app = FastAPI()
served: Counter[str] = Counter()
model = load_model()


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer the probes."""
    return {"status": "ok"}


@app.get("/served")
async def count_served() -> dict[str, int]:
    """Tell what was asked for."""
    return {"users": served["users"], "gates": served["gates"]}


@app.post("/predict")
async def predict(request: Request) -> JSONResponse:
    """Predict."""
    served["gates" if GATE in request.headers else "users"] += 1
    inputs = [float(each) for each in (await request.json())["inputs"]]
    if ANSWER == "error" or any(each < ERROR_BELOW for each in inputs):
        return JSONResponse({"error": "the model raised ValueError"}, 500, IDENTITY)
    body: dict[str, Any] = {"predictions": model.predict(inputs)}
    if ANSWER == "shape":
        body = {"outputs": [f"about {each:g}" for each in body["predictions"]]}
    return JSONResponse(body, headers=IDENTITY)


if EXPORTER == "instrumentator":
    Instrumentator().instrument(app).expose(app)
elif EXPORTER == "starlette":
    app.add_middleware(PrometheusMiddleware)
    app.add_route("/metrics", handle_metrics)

if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=8080, log_level="warning")
