"""What stable's pods export of their training profile becomes a reference, or a word about why not."""

import pytest

from serinus.rollout.types import Reference
from serinus.signals import training
from serinus.signals.samples import Sample
from serinus.signals.training import Trained, fitted, read_training


def exported(label: str, **pods: dict[str, float]) -> list[Sample]:
    return [
        Sample(labels={"pod": pod, label: place}, value=value)
        for pod, places in pods.items()
        for place, value in places.items()
    ]


BUCKETS = {"10": 9.0, "2.5": 4.0, "+Inf": 10.0}
NAMES = {"fr": 1.0, "de": 5.0}
READ = {
    "buckets of two pods": (None, [BUCKETS, BUCKETS], Reference(counts=(4, 5, 1), edges=(2.5, 10.0))),
    "categories of two pods": ("class", [NAMES, NAMES], Reference(counts=(5, 1), categories=("de", "fr"))),
    "no pod": (None, [], ""),
    "pods that are not alike": (None, [BUCKETS, {**BUCKETS, "10": 8.0}], training.UNLIKE),
    "a pod with more": ("class", [NAMES, {**NAMES, "it": 1.0}], training.UNLIKE),
    "falling": (None, [{**BUCKETS, "10": 3.0}], training.BROKEN),
    "without the last": (None, [{"2.5": 4.0, "10": 9.0}], training.BROKEN),
    "nothing but the last": (None, [{"+Inf": 4.0}], training.BROKEN),
    "no edge": (None, [{**BUCKETS, "high": 9.0}], training.BROKEN),
    "half a case": (None, [{**BUCKETS, "10": 8.5}], training.BROKEN),
    "no number": (None, [{**BUCKETS, "10": float("nan")}, {**BUCKETS, "10": float("nan")}], None),
    "no case at all": (None, [dict.fromkeys(BUCKETS, 0.0)], training.BROKEN),
    "no case of any category": ("class", [dict.fromkeys(NAMES, 0.0)], training.BROKEN),
    "no name": ("class", [{"": 4.0}], training.BROKEN),
}


@pytest.mark.parametrize(("label", "pods", "expected"), READ.values(), ids=READ)
def test_what_is_read(label: str | None, pods: list[dict[str, float]], expected: object) -> None:
    found = read_training(exported(label or "le", **{f"pod-{i}": each for i, each in enumerate(pods)}), label)
    if isinstance(expected, Reference):
        assert found == Trained(reference=expected)
    else:
        assert found.reference is None
        assert expected is None or found.note == expected
        assert bool(found.note) == bool(pods)


def test_a_profile_in_other_edges_is_noted_and_a_persons_is_left_to_the_reader() -> None:
    reference = Reference(counts=(4, 5, 1), edges=(2.5, 10.0))
    own, given = Trained(reference=reference), Trained(reference=reference, given=True)
    assert fitted(own, reference, (10.0,)) == ([9, 1], "")
    assert fitted(own, reference, (3.0,)) == (None, training.OTHER_EDGES)
    assert fitted(own, reference, (2.5,)) == (None, training.ABOVE)
    assert fitted(given, reference, (3.0,)) == (None, "")
    assert fitted(given, reference, (2.5,)) == ([4, 6], "")
