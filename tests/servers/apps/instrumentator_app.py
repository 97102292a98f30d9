"""A home-made FastAPI server with prometheus-fastapi-instrumentator, as in its README."""

from behaviour import answer
from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    x: float


@app.post("/predict")
def predict(body: Body) -> dict[str, float]:
    return {"prediction": answer(body.x)}


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


Instrumentator().instrument(app).expose(app)
