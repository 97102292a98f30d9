"""An ASGI middleware: it marks gate requests, names the revision in answers, takes outcomes, measures requests.

Works around any ASGI application (FastAPI, Starlette, BentoML, KServe) and imports none of them.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry

from serinus_instrument.declare import model_name
from serinus_instrument.exposition import recorder_of
from serinus_instrument.gating import uncounted
from serinus_instrument.names import GATE_HEADER, REVISION_HEADER
from serinus_instrument.outcomes import LARGEST_BYTES, BadOutcomes, count_outcomes
from serinus_instrument.recorder import Recorder

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OUTCOMES_PATH = "/serinus/outcomes"
_GATE = GATE_HEADER.lower().encode()


class InstrumentMiddleware:
    """Wraps an application: ``app.add_middleware(InstrumentMiddleware)`` or ``app = InstrumentMiddleware(app)``."""

    def __init__(
        self,
        app: App,
        *,
        model: str | None = None,
        outcomes_path: str | None = OUTCOMES_PATH,
        registry: CollectorRegistry | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            model: whose requests these are; ``$SERINUS_MODEL`` if absent.
            outcomes_path: where outcomes are taken by POST; None: nowhere. Whoever reaches the server reaches it.
            registry: where the counts are shown; the default one if absent.
        """
        self.app = app
        self._recorder: Recorder = recorder_of(model_name(model), registry=registry)
        self._outcomes_path = outcomes_path

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] == self._outcomes_path and scope["method"] == "POST":
            await self._take_outcomes(receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (REVISION_HEADER.lower().encode(), self._recorder.revision.encode())
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        with uncounted(any(name.lower() == _GATE for name, _ in scope["headers"])):
            try:
                await self.app(scope, counted, named)
            finally:
                if size:
                    self._recorder.request_bytes(size)

    async def _take_outcomes(self, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > LARGEST_BYTES:
                await _answer(send, 413, {"error": f"send at most {LARGEST_BYTES} bytes at once"})
                return
            if not message.get("more_body"):
                break
        try:
            await _answer(send, 200, {"counted": count_outcomes(self._recorder, body)})
        except BadOutcomes as error:
            await _answer(send, 400, {"error": str(error)})


async def _answer(send: Send, status: int, body: MutableMapping[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
