"""Send one request to a pod. Knows HTTP; must not know what an answer should be.

The standard library's client is used as it is: it follows no redirect, asks no proxy and knows no credentials.
"""

import ipaddress
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Timer
from typing import Any

from serinus import contract
from serinus.gates.answers import Answer, NoAnswer, NotAddressable
from serinus.rollout.smoke import GateRequest

MOST_BYTES = 1024 * 1024
"""Of an answer; what comes after is not read."""
_CONNECT_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a pod listens."""

    pod: str
    ip: str
    port: int


def target_of(pod: Mapping[str, Any], port: int | str) -> Target:
    """Return where a pod listens.

    Args:
        pod: the manifest.
        port: number, or name of a port of one of its containers.

    Raises:
        NotAddressable: it has no address of its own, shares its node's network, or has no port of that name.
    """
    name = pod["metadata"]["name"]
    if pod["spec"].get("hostNetwork"):
        raise NotAddressable(
            f"pod {name} uses its node's network, where its port may belong to others: remove hostNetwork"
        )
    ip = (pod.get("status") or {}).get("podIP") or ""
    if not _is_pod_address(ip):
        raise NotAddressable(f"pod {name} has no address of its own ({ip or 'none'})")
    if isinstance(port, int):
        return Target(pod=name, ip=ip, port=port)
    for container in pod["spec"].get("containers") or ():
        for each in container.get("ports") or ():
            if each.get("name") == port:
                return Target(pod=name, ip=ip, port=int(each["containerPort"]))
    raise NotAddressable(f"pod {name} has no port named {port}: name it in the template, or give targetPort a number")


def _is_pod_address(text: str) -> bool:
    """Refuse what can never be a pod's: the operator itself, and the node's metadata service."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


def send(target: Target, request: GateRequest, identity: str, timeout_seconds: float) -> Answer:
    """Send a request and read its answer, at most 1 MiB of it.

    Args:
        target: where to.
        request: what.
        identity: ``<revision>/<attempt>``, sent as the header that marks a gate.
        timeout_seconds: for connecting, sending and reading together.

    Raises:
        NoAnswer: there was none in time.
    """
    connection = HTTPConnection(target.ip, target.port, timeout=min(_CONNECT_SECONDS, timeout_seconds))
    began = time.monotonic()
    late: Timer | None = None
    try:
        connection.connect()
        connection.sock.settimeout(timeout_seconds)
        # A server that sends a byte now and then keeps every single read alive, so the whole has a limit of its own.
        # The socket itself is handed over: the connection lets go of it once the answer's head was read.
        late = Timer(timeout_seconds, _hang_up, [connection.sock])
        late.daemon = True
        late.start()
        connection.request(request.method, request.path, _encoded(request.body), _headers(request, identity))
        response = connection.getresponse()
        announced = response.length
        body = response.read(MOST_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        spent = time.monotonic() - began
        raise NoAnswer(_why(error, target, spent, timeout_seconds)) from error
    finally:
        if late is not None:
            late.cancel()
        connection.close()
    spent = time.monotonic() - began
    if spent >= timeout_seconds:
        raise NoAnswer(f"no whole answer within {timeout_seconds:g} s")
    return _whole(response.status, body, announced, spent)


def _whole(status: int, body: bytes, announced: int | None, spent_seconds: float) -> Answer:
    # The library is content with fewer bytes than were announced when it is asked for a number of them.
    if announced is not None and len(body) < min(announced, MOST_BYTES + 1):
        raise NoAnswer(f"the answer ({status}) broke off after {len(body)} of {announced} bytes")
    return Answer(
        status=status,
        body=body[:MOST_BYTES].decode("utf-8", errors="replace"),
        milliseconds=round(1000 * spent_seconds),
        is_cut=len(body) > MOST_BYTES,
    )


def _headers(request: GateRequest, identity: str) -> dict[str, str]:
    ours = {"User-Agent": "serinus", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
    given = {name.lower() for name in request.headers}
    kept = {name: value for name, value in ours.items() if name.lower() not in given}
    return {**kept, **request.headers, contract.HEADER_GATE: identity}


def _encoded(body: str | None) -> bytes | None:
    return None if body is None else body.encode()


def _hang_up(connected: socket.socket) -> None:
    # The reading thread then sees the end of the stream; closing alone would not wake it.
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _why(error: Exception, target: Target, spent: float, timeout_seconds: float) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on port {target.port}"
    if isinstance(error, TimeoutError) or spent >= timeout_seconds:
        return f"no answer within {spent:.1f} s"
    return f"{type(error).__name__}: {error}"[:200]
