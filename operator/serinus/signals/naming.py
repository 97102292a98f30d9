"""Tell whether the pods of both sides name their categories in the same way.

Knows how serinus-instrument writes groups of texts that nobody declared. Must not know counts or how they are fetched.
"""

import re
from collections.abc import Iterable

from serinus.signals.scope import BySide

_GROUP = re.compile(r"#[0-9]{2,}")
"""One of the groups that a checksum chooses; see Groups in ``serinus_instrument.cells``."""


def in_groups(names: Iterable[str]) -> bool:
    """Return whether categories are groups of texts without a name; False where there is none."""
    found = tuple(names)
    return bool(found) and all(_GROUP.fullmatch(each) for each in found)


def divide_alike(names: BySide[frozenset[str]]) -> bool:
    """Return whether the same text has the same category on both sides, as far as that shows.

    It has not where one side counts in groups and none of the other's categories is one: such counts share nothing,
    however alike the traffic is. A side without categories has had no request yet.
    """
    canary, stable = names.canary, names.stable
    parted = in_groups(canary) != in_groups(stable) and not canary & stable
    return not (canary and stable and parted)
