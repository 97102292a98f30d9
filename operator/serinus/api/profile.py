"""Read a training profile: the histograms that a model's predictions and inputs had when it was trained.

The text stands in a user's ConfigMap. Knows its JSON; must not know where it came from or what it is compared with.
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from serinus.api.wire import Rule, Wire
from serinus.errors import InvalidSpec
from serinus.rollout.types import Reference

MOST_BUCKETS = 200
_SHAPE = (
    'it has to be JSON such as {"schema": 1, "prediction": {"edges": [0.2, 0.5], "counts": [70, 20, 10]}, '
    '"features": {"country": {"categories": {"de": 40, "fr": 2}}}}'
)
_MOST_ERRORS = 3


class Histogram(Wire):
    """Either upper edges and one count more than edges (the last is what lies above), or a count per category."""

    rules = (
        Rule(
            cel=None,
            message="give edges and counts, or categories, and not both",
            holds=lambda it: (
                (it.edges is None) == (it.counts is None) and (it.edges is None) != (it.categories is None)
            ),
        ),
        Rule(
            cel=None,
            message="counts has one number more than edges: the last is for all values above the last edge",
            holds=lambda it: it.edges is None or it.counts is None or len(it.counts) == len(it.edges) + 1,
        ),
        Rule(
            cel=None,
            message="edges have to ascend",
            holds=lambda it: all(lower < upper for lower, upper in pairwise(it.edges or ())),
        ),
        Rule(
            cel=None,
            message="all counts are zero: give the counts of the training data",
            holds=lambda it: sum(it.counts or ()) + sum((it.categories or {}).values()) > 0,
        ),
    )

    edges: Annotated[tuple[float, ...], Field(min_length=1, max_length=MOST_BUCKETS)] | None = None
    """Finite upper edges, ascending; the same as those of the histogram that the pods export."""
    counts: Annotated[tuple[Annotated[int, Field(ge=0, le=10**15)], ...], Field(max_length=MOST_BUCKETS + 1)] | None = (
        None
    )
    """Not cumulative."""
    categories: (
        Annotated[dict[str, Annotated[int, Field(ge=0, le=10**15)]], Field(min_length=1, max_length=MOST_BUCKETS)]
        | None
    ) = None
    """Count per category."""


class Profile(Wire):
    """What was known at training."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    """Version of this shape."""
    prediction: Histogram | None = None
    """The model's outputs."""
    features: dict[str, Histogram] | None = None
    """The model's inputs, by name."""


def read_reference(text: str, feature: str | None) -> Reference:
    """Return one histogram of a training profile.

    Args:
        text: the profile, JSON.
        feature: name of the input; None for the predictions.

    Raises:
        InvalidSpec: the text is no profile, or has no such histogram; the message says what to write.
    """
    try:
        profile = Profile.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]
        told = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg'].removeprefix('Value error, ')}" for each in found
        )
        raise InvalidSpec(f"the training profile cannot be read: {told}; {_SHAPE}") from error
    if feature is None:
        histogram, what = profile.prediction, "prediction"
    else:
        histogram, what = (profile.features or {}).get(feature), f"features.{feature}"
    if histogram is None:
        raise InvalidSpec(f"the training profile has no {what}: add it, or remove the signal's reference")
    if histogram.categories is not None:
        names = tuple(sorted(histogram.categories))
        return Reference(counts=tuple(histogram.categories[name] for name in names), categories=names)
    return Reference(counts=histogram.counts or (), edges=histogram.edges or ())
