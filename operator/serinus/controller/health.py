"""The liveness endpoint: answers from the event loop itself, so that a loop that hangs does not answer.

Own and small, because kopf's is up only while kopf runs, and a standby that waits for the Lease is alive, too.
"""

import asyncio
from collections.abc import Callable

PATH = "/healthz"
_LONGEST_REQUEST = 4096
_PATIENCE_SECONDS = 5


async def serve_health(port: int, ailment: Callable[[], str]) -> asyncio.Server:
    """Answer on all addresses: 200 while ``ailment`` returns nothing, else 503 with what it returns.

    Raises:
        OSError: the port is taken.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
            writer.write(make_answer(request, ailment()))
            await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # a probe that went away or talks nonsense is not ours to report
        finally:
            writer.close()

    return await asyncio.start_server(answer, host=None, port=port, limit=_LONGEST_REQUEST)


def make_answer(request: bytes, ailment: str) -> bytes:
    """Return the whole HTTP answer to a request."""
    method, _, rest = request.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD") or path != PATH.encode():
        status, text = "404 Not Found", f"only GET {PATH} is served here"
    elif ailment:
        status, text = "503 Service Unavailable", ailment
    else:
        status, text = "200 OK", "ok"
    body = text.encode() + b"\n"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == b"HEAD" else body)
