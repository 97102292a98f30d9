"""A home-made FastAPI server with starlette-exporter, and serinus-instrument."""

from behaviour import answer
from starlette_app import Body, app

from serinus_instrument import InstrumentMiddleware, observed

app.add_middleware(InstrumentMiddleware)


@observed(plausible=(0, 5))
def model(rows: list[list[float]]) -> list[float]:
    return [answer(row[0]) for row in rows]


@app.post("/observed")
def predict(body: Body) -> dict[str, float]:
    return {"prediction": model([[body.x]])[0]}
