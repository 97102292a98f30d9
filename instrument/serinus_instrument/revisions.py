"""Know the revision of this pod, and bound the revisions that others name.

A label that anybody on the network can fill must not grow without end.
"""

import os
import re

from serinus_instrument.names import OTHER, REVISION_VARIABLE, UNKNOWN_REVISION

MOST_REVISIONS = 20
_REVISION = re.compile("[bcdfghjklmnpqrstvwxz2456789]{10,18}")


def own_revision() -> str:
    """Return the revision of this pod as the operator told it, ``unknown`` where nobody did."""
    told = os.environ.get(REVISION_VARIABLE, "")
    return told if _REVISION.fullmatch(told) else UNKNOWN_REVISION


class Revisions:
    """The revisions that outcomes are counted for: this pod's, and those that were named last.

    A pod of a stable revision may live through many canaries, so it is the one not named for longest that goes.
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._others: dict[str, None] = {}

    def bounded(self, revision: str) -> tuple[str, str | None]:
        """Return the label's value for a revision, and the one that is forgotten for it.

        The value is the revision itself, ``__other__`` if it is malformed. Nothing is forgotten below 20.
        """
        if revision == self._own:
            return revision, None
        if not _REVISION.fullmatch(revision):
            return OTHER, None
        known = revision in self._others
        self._others.pop(revision, None)
        self._others[revision] = None
        if known or len(self._others) < MOST_REVISIONS:
            return revision, None
        forgotten = next(iter(self._others))
        del self._others[forgotten]
        return revision, forgotten
