"""Runs in the test image: says what it sees, and counts its requests for Prometheus."""

import importlib.util
import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import prometheus_client

REQUESTS = prometheus_client.Counter("harness_requests", "Requests that were answered.")


class Handler(BaseHTTPRequestHandler):
    wbufsize = -1  # header and body in one packet

    def do_GET(self) -> None:
        REQUESTS.inc()
        body = prometheus_client.generate_latest() if self.path == "/metrics" else json.dumps(see(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def see(path: str) -> dict[str, object]:
    name = path.removeprefix("/resolve/")
    try:
        address = socket.gethostbyname(name) if name != path else None
    except socket.gaierror:
        address = "unknown"
    bytecode = importlib.util.cache_from_source(prometheus_client.__file__)
    return {
        "user": os.getuid(),
        "bytecode": os.path.exists(bytecode),
        "resolved": address,
        "greeting": os.environ["GREETING"],
    }


ThreadingHTTPServer(("", 8080), Handler).serve_forever()
