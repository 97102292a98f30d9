"""One HTTP/1.1 client connection that tells every way in which a request can fail to be answered.

Knows sockets and HTTP, not rates and counts. Standard library only.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from demo.counts import Failure

POD_HEADER = "x-pod"
REVISION_HEADER = "x-revision"
UNNAMED = "unnamed"


class TransportError(Exception):
    """A request got no answer."""

    def __init__(self, kind: Failure) -> None:
        super().__init__(kind.value)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    pod: str
    revision: str
    keeps_connection: bool


class Connection:
    """One HTTP/1.1 connection, opened at its first request."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"{url!r} is not an http:// URL")
        self._host, self._port = parts.hostname, parts.port or 80
        self._authority = parts.netloc
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout_seconds = timeout_seconds
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, body: bytes) -> Answer:
        """Send one request (POST, or GET without a body) and read its whole answer.

        Raises:
            TransportError: There is no answer. The connection is closed then.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._exchange(body)
        except TimeoutError as error:
            await self.close()
            raise TransportError(Failure.TIMEOUT) from error
        except TransportError:
            await self.close()
            raise
        if not answer.keeps_connection:
            await self.close()
        return answer

    async def _exchange(self, body: bytes) -> Answer:
        reader, writer = await self._open()
        try:
            writer.write(self._head(body) + body)
            await writer.drain()
            return await _read_answer(reader)
        except (asyncio.IncompleteReadError, EOFError) as error:
            raise TransportError(Failure.EOF) from error
        except OSError as error:
            raise TransportError(Failure.RESET) from error
        except (ValueError, IndexError, asyncio.LimitOverrunError) as error:
            raise TransportError(Failure.MALFORMED) from error

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            try:
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
            except OSError as error:
                raise TransportError(Failure.CONNECT) from error
        return self._reader, self._writer

    def _head(self, body: bytes) -> bytes:
        method = "POST" if body else "GET"
        lines = [f"{method} {self._target} HTTP/1.1", f"host: {self._authority}", "accept: */*"]
        if body:
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def close(self) -> None:
        """Close the connection; the next request opens another."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, status = head[0].split(" ", 2)[:2]
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    await _read_body(reader, headers, int(status))
    # MLServer closes after an uncaught exception without saying so: a connection is not used again after a 5xx.
    keeps = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close" and int(status) < 500
    return Answer(
        status=int(status),
        pod=headers.get(POD_HEADER, UNNAMED),
        revision=headers.get(REVISION_HEADER, UNNAMED),
        keeps_connection=keeps,
    )


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str], status: int) -> None:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    elif "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
    elif status not in {204, 304}:
        await reader.read()
