"""Show what a training profile counted beside what is counted now, in the same buckets and under the same names.

So whoever has only the metrics knows what the model was trained on. Knows bins and cells; must not know locks or files.
"""

import math
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from serinus_instrument.cells import Categories, Cells, Numbers
from serinus_instrument.profile import Bins
from serinus_instrument.values import label_of


def trained(bins: Bins, cells: Cells | None) -> Iterator[tuple[str, int]]:
    """Yield what the training data had, by edge and cumulative, or by category.

    Nothing where the profile has no counts, or where what is counted now is divided in another way, as in groups.

    Args:
        bins: of one input or output, from the profile.
        cells: where it is counted now; None: it is not.
    """
    if not bins.counts:
        return
    if isinstance(cells, Numbers) and tuple(cells.edges) == bins.edges:
        written = [floatToGoString(edge) for edge in (*bins.edges, math.inf)]  # type: ignore[no-untyped-call]
        yield from zip(written, accumulate(bins.counts), strict=True)
    elif isinstance(cells, Categories) and bins.categories:
        sums = dict.fromkeys(cells.counts, 0)
        for name, count in zip(bins.categories, bins.counts, strict=True):
            # Two names may be cut to the same label.
            sums[label_of(name)] += count
        yield from sums.items()
