"""A home-made FastAPI server with OpenTelemetry's instrumentation; its metrics have the port of METRICS_PORT."""

import os

from behaviour import answer
from fastapi import FastAPI
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server
from pydantic import BaseModel

metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
start_http_server(int(os.environ["METRICS_PORT"]), addr="127.0.0.1")
app = FastAPI()


class Body(BaseModel):
    x: float


@app.post("/predict")
def predict(body: Body) -> dict[str, float]:
    return {"prediction": answer(body.x)}


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


FastAPIInstrumentor.instrument_app(app)
