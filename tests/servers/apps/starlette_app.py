"""A home-made FastAPI server with starlette-exporter, as in its README."""

from behaviour import answer
from fastapi import FastAPI
from pydantic import BaseModel
from starlette_exporter import PrometheusMiddleware, handle_metrics

app = FastAPI()
app.add_middleware(PrometheusMiddleware)
app.add_route("/metrics", handle_metrics)


class Body(BaseModel):
    x: float


@app.post("/predict")
def predict(body: Body) -> dict[str, float]:
    return {"prediction": answer(body.x)}


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
