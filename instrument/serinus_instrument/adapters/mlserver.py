"""Count the predictions of an MLServer runtime.

In a runtime of your own, or around one of MLServer's::

    @instrumented(plausible=(0, 1))
    class Fraud(MLModel): ...

    Fraud = instrumented(SKLearnModel, plausible=(0, 1))

and name it as the ``implementation`` in model-settings.json. Counts stand under the model's name beside MLServer's own
metrics, also with parallel workers. Gate requests are told by their headers, which adaptive batching merges: with it, a
batch that begins with one is not counted.
"""

import os
from typing import Any, TypeVar

from serinus_instrument.adapters.open_inference import record_tensors
from serinus_instrument.declare import declare
from serinus_instrument.names import REVISION_HEADER
from serinus_instrument.recorder import Recorder

Runtime = TypeVar("Runtime", bound=type)


def instrumented(runtime: Runtime | None = None, **declared: Any) -> Any:
    """Return a runtime whose predictions are counted: a decorator of its class.

    Args:
        runtime: a subclass of ``mlserver.MLModel``.
        declared: what ``serinus_instrument.declare`` takes, such as ``profile`` and ``plausible``.
    """

    def decorate(base: Runtime) -> Any:
        class Instrumented(base):  # type: ignore[misc, valid-type]
            _serinus_recorder: Recorder

            async def load(self) -> bool:
                ready: bool = await super().load()
                folder = getattr(self.settings.parameters, "uri", None)
                if folder and not os.path.isdir(folder):
                    folder = os.path.dirname(folder)
                # Here and not at import: MLServer decides before it loads whether several processes serve.
                self._serinus_recorder = declare(self.name, **{"folder": folder or None, **declared})
                return ready

            async def predict(self, payload: Any) -> Any:
                answer = await super().predict(payload)
                headers = getattr(payload.parameters, "headers", None)
                record_tensors(self._serinus_recorder, payload, answer, headers)
                _name_revision(answer, self._serinus_recorder.revision)
                return answer

        for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
            setattr(Instrumented, attribute, getattr(base, attribute))
        return Instrumented

    return decorate if runtime is None else decorate(runtime)


def _name_revision(answer: Any, revision: str) -> None:
    from mlserver.types import Parameters  # noqa: PLC0415

    if answer.parameters is None:
        answer.parameters = Parameters()
    # MLServer takes them out of the answer again and makes them HTTP headers.
    answer.parameters.headers = {**(answer.parameters.headers or {}), REVISION_HEADER: revision}
