"""What every kind of store can do. Knows no store in particular."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.pins import Pin, fingerprint
from serinus.fetch.remote import Found, RemoteFile

BLOCK_BYTES = 1024 * 1024


class Source(Protocol):
    """A place where a model is stored, bound to one URI."""

    def find(self) -> Found:
        """Ask the store what stands there now.

        Raises:
            FetchFailed: It cannot be had, and why.
            Passing: The store did not answer; asking again may help.
        """

    def recall(self, pin: Pin) -> Found:
        """Return exactly what a pin remembers, nothing newer, in a form that ``read`` understands.

        Raises:
            FetchFailed: It is there no longer.
            Passing: The store did not answer; asking again may help.
        """

    def read(self, file: RemoteFile, start: int, end: int | None) -> AbstractContextManager[Iterator[bytes]]:
        """Open the bytes of a file from ``start`` up to, without, ``end`` (None: to its end), in blocks.

        Raises:
            FetchFailed: It cannot be had, or it was replaced.
            Passing: The connection failed; asking again may help.
            RangeIgnored: ``start`` is not 0 or ``end`` is not None, and the store sends the whole.
        """


def unchanged(found: Found, pin: Pin) -> Found:
    """Return what was found now if it is what the pin remembers.

    Raises:
        FetchFailed: Something was replaced, added or removed.
    """
    if fingerprint(found) != pin.fingerprint:
        raise replaced(
            f"What the URI stands for was replaced after {pin.at:%Y-%m-%d %H:%M:%S} UTC, when it was resolved"
        )
    return found


def replaced(what: str) -> FetchFailed:
    """Return the refusal to take something newer than what was resolved."""
    return FetchFailed(
        Reason.REPLACED,
        f"{what}. Nothing newer is taken in its place: put it back, or roll out the new one by changing "
        "spec.model.uri or spec.model.digest (or let spec.model.track do it). "
        "A versioned bucket keeps what running pods need.",
    )
