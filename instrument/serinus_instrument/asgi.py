"""An ASGI middleware: it marks gate requests, names the revision in answers, takes outcomes, measures requests.

Works around any ASGI application (FastAPI, Starlette, BentoML, KServe) and imports none of them.
"""

import hmac
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
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
TOKEN_VARIABLE = "SERINUS_OUTCOMES_TOKEN"  # noqa: S105  a name, no token
"""Environment variable with the word that whoever tells outcomes has to know."""
_GATE = GATE_HEADER.lower().encode()


class InstrumentMiddleware:
    """Wraps an application: ``app.add_middleware(InstrumentMiddleware)`` or ``app = InstrumentMiddleware(app)``."""

    def __init__(
        self,
        app: App,
        *,
        model: str | None = None,
        outcomes_path: str | None = OUTCOMES_PATH,
        open_to_all: bool = False,
        registry: CollectorRegistry | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            model: whose requests these are; ``$SERINUS_MODEL`` if absent.
            outcomes_path: where outcomes are taken by POST; None: nowhere. They are taken from whoever sends
                ``Authorization: Bearer`` with the token of ``$SERINUS_OUTCOMES_TOKEN``, without it from nobody.
            open_to_all: take outcomes from whoever reaches the server, where there is no token. Outcomes decide
                rollouts, so something else has to keep strangers away.
            registry: where the counts are shown; the default one if absent.
        """
        self.app = app
        self._recorder: Recorder = recorder_of(model_name(model), registry=registry)
        self._outcomes_path = outcomes_path
        self._open_to_all = open_to_all
        self._token = os.environ.get(TOKEN_VARIABLE, "").strip()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] == self._outcomes_path and scope["method"] == "POST":
            refused = self._why_refused(scope["headers"])
            if refused is None:
                await self._take_outcomes(receive, send)
            else:
                await _answer(send, refused[0], {"error": refused[1]})
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

    def _why_refused(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        """Return the status and the reason for which outcomes are not taken, None if they are."""
        if not self._token:
            told = f"set {TOKEN_VARIABLE} in the server's environment, or give the middleware open_to_all=True"
            return None if self._open_to_all else (403, f"outcomes are taken from nobody: {told}")
        given = next((value for name, value in headers if name.lower() == b"authorization"), b"")
        scheme, _, word = given.partition(b" ")
        # In constant time, else the token could be guessed letter by letter.
        known = hmac.compare_digest(word.strip(), self._token.encode())
        if known and scheme.lower() == b"bearer":
            return None
        return 401, f"send the header Authorization: Bearer, with the token of {TOKEN_VARIABLE}"

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
