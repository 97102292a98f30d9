import asyncio
import json
import logging
import socket
import sys

import pytest

from serinus.controller.health import make_answer, serve_health
from serinus.controller.logs import JsonFormatter, TextFormatter


@pytest.mark.parametrize(
    ("request_line", "ailment", "status"),
    [
        (b"GET /healthz HTTP/1.1", "", b"200 OK"),
        (b"GET /healthz?verbose HTTP/1.1", "", b"200 OK"),
        (b"GET /healthz HTTP/1.1", "stuck", b"503 Service Unavailable"),
        (b"GET /metrics HTTP/1.1", "", b"404 Not Found"),
        (b"POST /healthz HTTP/1.1", "", b"404 Not Found"),
        (b"nonsense", "", b"404 Not Found"),
    ],
)
def test_answers(request_line: bytes, ailment: str, status: bytes) -> None:
    answer = make_answer(request_line + b"\r\n\r\n", ailment)
    head, _, text = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert f"Content-Length: {len(text)}".encode() in head
    assert ailment.encode() in text


def test_it_answers_over_the_wire_and_survives_those_that_hang_up() -> None:
    async def ask(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def main() -> None:
        server = await serve_health(0, lambda: "")
        async with server:
            port = next(each.getsockname()[1] for each in server.sockets if each.family == socket.AF_INET)
            assert await ask(port, b"GET") == b""
            assert await ask(port, b"x" * 10_000) == b""
            assert b"200 OK" in await ask(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    asyncio.run(main())


def make_record(message: str, **extra: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "serinus", "created": 0.0, **extra})


def test_log_lines_name_the_model_deployment() -> None:
    record = make_record("Promoted: done", namespace="n", model_deployment="fraud")
    assert TextFormatter().format(record) == "1970-01-01T00:00:00Z INFO    n/fraud: Promoted: done"
    line = json.loads(JsonFormatter().format(record))
    assert line["model_deployment"] == "fraud"
    assert line["time"] == "1970-01-01T00:00:00.000+00:00"


def test_a_traceback_stays_in_the_line_of_its_error() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        record = make_record("failed")
        record.exc_info = sys.exc_info()
    assert "ValueError: broken" in json.loads(JsonFormatter().format(record))["traceback"]
    assert TextFormatter().format(record).endswith("ValueError: broken")
