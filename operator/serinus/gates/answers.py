"""What a pod answered, and how it is told. Pure: knows no network."""

from dataclasses import dataclass

from serinus.errors import SerinusError

EXCERPT_LENGTH = 240
NO_BODY = "(no body)"
_SHOWN = 80


def shortened(text: str, length: int = _SHOWN) -> str:
    """Return a text of at most ``length`` characters: what servers say may be as long as they like."""
    return text if len(text) <= length else text[: length - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: str
    """Decoded as UTF-8, what is not is replaced."""
    milliseconds: int
    """From the first byte sent to the last one read."""
    is_cut: bool = False
    """The body was longer than is read."""

    def excerpt(self, length: int = EXCERPT_LENGTH) -> str:
        """Return the body's first characters on one line, printable ones only."""
        line = " ".join("".join(each if each.isprintable() else " " for each in self.body[: 4 * length]).split())
        if not line:
            return NO_BODY
        return shortened(line, length)


class NoAnswer(SerinusError):
    """A request got no answer: refused, timed out, cut off. Asking again may help."""


class NotAddressable(SerinusError):
    """There is nowhere to send requests to. Asking again does not help."""
