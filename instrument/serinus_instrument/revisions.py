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
    """The revisions that outcomes were counted for: the first 20 well-formed ones."""

    def __init__(self, own: str) -> None:
        self._known = {own}

    def bounded(self, revision: str) -> str:
        """Return the label's value for a revision: itself, or ``__other__`` if it is malformed or one too many."""
        if revision in self._known:
            return revision
        if len(self._known) >= MOST_REVISIONS or not _REVISION.fullmatch(revision):
            return OTHER
        self._known.add(revision)
        return revision
