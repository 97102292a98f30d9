"""Count the predictions of a model on KServe's Python server.

One line before the server starts::

    model = instrumented(Fraud("fraud"), plausible=(0, 1))
    ModelServer().start([model])

Counts stand under the model's name beside KServe's own metrics. The server of this process also takes outcomes and
names its revision in answers. With ``--workers`` above 1 KServe shows the metrics of one worker only.
"""

import inspect
from typing import Any, TypeVar

from serinus_instrument.adapters.open_inference import record_tensors
from serinus_instrument.asgi import InstrumentMiddleware
from serinus_instrument.declare import declare

Model = TypeVar("Model")


def instrumented(model: Model, **declared: Any) -> Model:
    """Return a model of KServe whose predictions are counted: the same object.

    Args:
        model: a ``kserve.Model``.
        declared: what ``serinus_instrument.declare`` takes, such as ``profile`` and ``plausible``.
    """
    served: Any = model
    recorder = declare(served.name, **declared)
    predict = served.predict
    if inspect.iscoroutinefunction(predict):

        async def awaited(payload: Any, *args: Any, **kwargs: Any) -> Any:
            answer = await predict(payload, *args, **kwargs)
            record_tensors(recorder, payload, answer, _headers(args, kwargs))
            return answer

        served.predict = awaited
    else:

        def called(payload: Any, *args: Any, **kwargs: Any) -> Any:
            answer = predict(payload, *args, **kwargs)
            record_tensors(recorder, payload, answer, _headers(args, kwargs))
            return answer

        served.predict = called
    _add_middleware(served.name)
    return model


def _headers(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs.get("headers")


def _add_middleware(name: str) -> None:
    """Wrap the server's application once; the first model's name stands for the server."""
    from kserve.model_server import app  # noqa: PLC0415

    if not any(each.cls is InstrumentMiddleware for each in app.user_middleware):
        app.add_middleware(InstrumentMiddleware, model=name)
