"""Count the requests of a BentoML service; its models are wrapped by ``instrument`` or its methods by ``observed``.

::

    @instrumented
    @bentoml.service
    class Fraud:
        def __init__(self):
            self.model = instrument(joblib.load("model.joblib"), plausible=(0, 1))

        @bentoml.api
        def predict(self, rows: np.ndarray) -> np.ndarray:
            return self.model.predict(rows)

Counts stand beside BentoML's own metrics, of all its workers together. Gate requests are not counted, answers name the
revision, outcomes are taken at ``/serinus/outcomes`` from whoever knows ``$SERINUS_OUTCOMES_TOKEN``.
"""

from typing import Any, TypeVar

from serinus_instrument.asgi import InstrumentMiddleware

Service = TypeVar("Service")


def instrumented(service: Service | None = None, **options: Any) -> Any:
    """Return a service whose requests are counted: the same object.

    Args:
        service: what ``@bentoml.service`` made.
        options: those of ``InstrumentMiddleware``, such as ``model``.
    """

    def decorate(given: Any) -> Any:
        given.add_asgi_middleware(InstrumentMiddleware, **options)
        return given

    return decorate if service is None else decorate(service)
