"""A web server on loopback that misbehaves on demand: breaks off, fails, ignores ranges, changes files."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class Item:
    """One file and how it is served."""

    content: bytes
    etag: str = '"one"'
    modified: str = ""
    ranges: bool = True
    sized: bool = True
    """Whether it says how long its answer is; else the end of the connection is the end."""
    conditions: bool = True
    """Whether If-Match is understood; many servers ignore it."""
    headers: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    """Answers instead of the file, one a request, until they are used up."""
    breaks: list[int] = field(default_factory=list)
    """After how many bytes the connection breaks, one a request, until they are used up."""
    authorization: str = ""
    redirect: str = ""
    astray: int = 0
    """By how many bytes the parts that it sends lie beside those that it was asked for."""


@dataclass
class Asked:
    """One request."""

    path: str
    headers: Message


class WebServer:
    """The server's files, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.items: dict[str, Item] = {}
        self.asked: list[Asked] = []
        self.lock = threading.Lock()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ranges(self) -> list[str | None]:
        return [asked.headers["Range"] for asked in self.asked]


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """Serve until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    web = WebServer(server.server_address[1])
    server.web = web  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        web: WebServer = self.server.web  # type: ignore[attr-defined]
        path = unquote(self.path.partition("?")[0])
        with web.lock:
            web.asked.append(Asked(self.path, self.headers))
            item = web.items.get(path)
            status = item.statuses.pop(0) if item and item.statuses else 0
            broken = item.breaks.pop(0) if item and item.breaks and not status else None
        if item is None:
            self._plain(404)
        elif status:
            self._plain(status, **item.headers)
        elif item.authorization and self.headers["Authorization"] != item.authorization:
            self._plain(401, **item.headers)
        elif item.redirect:
            self._plain(302, Location=item.redirect)
        elif item.conditions and self.headers["If-Match"] not in {None, item.etag}:
            self._plain(412)
        else:
            self._send(item, broken)

    do_HEAD = do_GET  # noqa: N815

    def _send(self, item: Item, broken: int | None) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        start, end = 0, len(item.content)
        if match and item.ranges:
            start, end = int(match[1]) + item.astray, min(end, int(match[2]) + 1 if match[2] else end)
            if start >= len(item.content):
                self._plain(416, **{"Content-Range": f"bytes */{len(item.content)}", "ETag": item.etag})
                return
        self.send_response(206 if match and item.ranges else 200)
        if match and item.ranges:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(item.content)}")
        for name, value in {"ETag": item.etag, "Last-Modified": item.modified, **item.headers}.items():
            if value:
                self.send_header(name, value)
        if item.sized:
            self.send_header("Content-Length", str(end - start))
        self.close_connection |= not item.sized
        self.end_headers()
        body = item.content[start:end]
        try:
            if self.command == "GET":
                self.wfile.write(body if broken is None else body[:broken])
            self.wfile.flush()
        except OSError:
            broken = 0
        if broken is not None:
            self.close_connection = True

    def _plain(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
