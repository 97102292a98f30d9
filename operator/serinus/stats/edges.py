"""Which edges of a latency histogram to compare requests at: few, from the median up to beyond the tail.

The more edges, the less evidence each one carries; too few, and a slow tail falls between them. Knows counts and
edges, no sides.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from serinus.errors import BrokenInvariant

# Shares of requests that are slower than a chosen edge: a shift of everything shows at the first ones, a slow tail at
# the last ones, where hardly any other request disturbs it.
BULK = (0.6, 0.3)
TAILS = (0.1, 0.03, 0.01, 0.001)


def choose(pooled: Sequence[int], edges: Sequence[float], most: int = 6) -> tuple[int, ...]:
    """Return indices of edges, ascending, at least one.

    For each share of ``BULK`` and ``TAILS`` the lowest edge is taken above which no more requests lie, by cautious
    estimates: ``slower / all - 1 / (2 sqrt(all))`` for the bulk, ``(slower + 1) / (all + 1)`` for tails. A tail that is
    too small to be told from so few requests is replaced by the edge at twice the highest one so far: 1 % of requests
    at 2 s lie above an edge that few others pass, whatever the first tick happened to show. The same input gives the
    same edges.

    Counts of both sides must be pooled: the comparison at an edge is conditional on pooled counts, so that a choice
    that knows nothing else keeps it valid, even for the very tick that is chosen from.

    Args:
        pooled: requests per bucket of canary and stable together, one more than edges (the last is the overflow).
        edges: finite upper edges, ascending, at least one. Seconds.
        most: largest number of edges, at least 1.

    Raises:
        BrokenInvariant: counts and edges do not belong together.
    """
    if not edges or len(pooled) != len(edges) + 1:
        raise BrokenInvariant(f"{len(pooled)} counts do not belong to {len(edges)} edges")
    total = sum(pooled)
    slower = [float(each) for each in total - np.cumsum(np.array(pooled[:-1], dtype=np.float64))]
    bulk = [_lowest(slower, share * total + 0.5 * sqrt(total)) for share in BULK]
    tails = [_lowest(slower, share * (total + 1.0) - 1.0) for share in TAILS]
    chosen = {index for index in (*bulk, *tails) if index is not None}
    if total == 0:
        chosen = _spread(edges)
    elif chosen:
        chosen |= _beyond(edges, max(chosen), tails.count(None))
    else:
        chosen = {len(edges) - 1}
    return _thinned(sorted(chosen), most)


def _lowest(slower: Sequence[float], most: float) -> int | None:
    return next((index for index, count in enumerate(slower) if count <= most), None)


def _beyond(edges: Sequence[float], last: int, number: int) -> set[int]:
    """Return up to ``number`` indices above ``last``, each at the edge closest to twice the one before."""
    found: set[int] = set()
    while len(found) < number and last + 1 < len(edges):
        wanted = 2.0 * edges[last]
        last = min(range(last + 1, len(edges)), key=lambda index: abs(edges[index] - wanted))
        found.add(last)
    return found


def _spread(edges: Sequence[float]) -> set[int]:
    """Return indices from the lowest to the highest edge."""
    number = len(BULK) + len(TAILS)
    return {round(step * (len(edges) - 1) / (number - 1)) for step in range(number)}


def _thinned(indices: Sequence[int], most: int) -> tuple[int, ...]:
    if len(indices) <= most:
        return tuple(indices)
    if most == 1:
        return (indices[0],)
    return tuple(indices[round(step * (len(indices) - 1) / (most - 1))] for step in range(most))
