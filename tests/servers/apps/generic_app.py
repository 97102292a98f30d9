"""A home-made server that counts its requests by hand with prometheus-client."""

import time

from behaviour import answer
from fastapi import FastAPI, Request, Response
from prometheus_client import Counter, Histogram, make_asgi_app
from pydantic import BaseModel

app = FastAPI()
app.mount("/metrics", make_asgi_app())
REQUESTS = Counter("http_requests_total", "Requests.", ["method", "path", "code"])
DURATIONS = Histogram("http_request_duration_seconds", "Durations.", ["method", "path"])


@app.middleware("http")
async def count(request: Request, call_next) -> Response:
    started = time.perf_counter()
    code = 500
    try:
        response = await call_next(request)
        code = response.status_code
    finally:
        REQUESTS.labels(request.method, request.url.path, str(code)).inc()
        DURATIONS.labels(request.method, request.url.path).observe(time.perf_counter() - started)
    return response


class Body(BaseModel):
    x: float


@app.post("/predict")
def predict(body: Body) -> dict[str, float]:
    return {"prediction": answer(body.x)}


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}
