"""Read the training reference that stable's own pods export, where nobody gave one to the signal.

It tells who moved and nothing else, so whatever is wrong with it leaves the comparison of the two sides as it is. Must
not know presets or how samples are fetched.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serinus.rollout.types import Reference
from serinus.signals.counts import steps_of
from serinus.signals.histogram import in_buckets
from serinus.signals.samples import BUCKET_LABEL, Sample, Target, target_of

UNLIKE = "the pods of stable have different training profiles, so none is taken for the reference"
BROKEN = "the training profile that stable's pods export cannot be read, so it is not taken for the reference"
OTHER_EDGES = (
    "the training profile that stable's pods export has other edges than their histogram, so it is not taken for the "
    "reference"
)
ABOVE = "most of the training data that stable's pods export lies above the last edge, so it is no reference"
MOST_ABOVE = 0.2
"""Of the training data above the last edge, where no change can be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the training data had, as far as anybody says."""

    reference: Reference | None = None
    given: bool = False
    """By a person, who is told if it does not fit; else stable's pods export it."""
    note: str = ""
    """Why what stable's pods export is not used."""


def read_training(samples: Iterable[Sample], label: str | None) -> Trained:
    """Return the reference that pods export, and why there is none although they do.

    Args:
        samples: constants of one side, of as many pods as there are.
        label: names the category; None: the samples are buckets, cumulative by ``le``.
    """
    by_target: dict[Target, dict[str, float]] = {}
    for each in samples:
        place = each.labels.get(label or BUCKET_LABEL, "")
        by_target.setdefault(target_of(each.labels), {})[place] = each.value
    found = tuple(by_target.values())
    if not found:
        return Trained()
    if any(each != found[0] for each in found):
        return Trained(note=UNLIKE)
    values = found[0].values()
    if not any(values) or not all(value >= 0 and float(value).is_integer() for value in values):
        return Trained(note=BROKEN)
    reference = _categories(found[0]) if label else _buckets(found[0])
    return Trained(reference=reference, note="" if reference else BROKEN)


def fitted(trained: Trained, reference: Reference, edges: Sequence[float]) -> tuple[list[int] | None, str]:
    """Return a reference in the buckets that are compared, None if it does not fit, and what to note then."""
    counts = in_buckets(reference.counts, reference.edges, edges)
    if trained.given:
        return counts, ""
    if counts is None:
        return None, OTHER_EDGES
    if counts[-1] > MOST_ABOVE * sum(counts):
        return None, ABOVE
    return counts, ""


def _buckets(cumulative: Mapping[str, float]) -> Reference | None:
    try:
        by_edge = sorted((float(label), round(value)) for label, value in cumulative.items())
    except ValueError:
        return None
    edges, counts = [edge for edge, _ in by_edge], steps_of([n for _, n in by_edge])
    if counts is None or len(edges) < 2 or edges[-1] != math.inf or not math.isfinite(edges[0]):
        return None
    return Reference(counts=counts, edges=tuple(edges[:-1]))


def _categories(counts: Mapping[str, float]) -> Reference | None:
    names = tuple(sorted(counts))
    return None if "" in counts else Reference(counts=tuple(round(counts[name]) for name in names), categories=names)
