import pytest

from serinus.errors import BadQuery
from serinus.signals.histogram import choose_edge, edges_by_pod, in_buckets
from serinus.signals.samples import Sample

USUAL = frozenset({"0.1", "0.25", "0.5", "+Inf"})


def chosen(bound: float, *pods: frozenset[str], unit: float = 1.0):
    return choose_edge({f"p{i}": labels for i, labels in enumerate(pods)}, bound, unit)


def test_the_bound_is_an_edge() -> None:
    edge = chosen(0.25, USUAL, USUAL)
    assert (edge.seconds, edge.labels, edge.infinite, edge.note) == (0.25, ("0.25",), ("+Inf",), "")


def test_labels_are_compared_as_numbers() -> None:
    edge = chosen(0.3, frozenset({"0.30000000000000004", "1", "+Inf"}), frozenset({"0.3", "1.0", "Inf"}))
    assert edge.labels == ("0.3", "0.30000000000000004")
    assert edge.infinite == ("+Inf", "Inf")
    assert edge.note == ""


def test_an_edge_that_is_a_hair_above_the_bound_is_the_bound() -> None:
    edge = chosen(0.3, frozenset({"0.1", "0.30000000000000004", "+Inf"}))
    assert (edge.labels, edge.note) == (("0.30000000000000004",), "")


def test_the_next_lower_edge_is_taken_and_told() -> None:
    edge = chosen(0.3, USUAL)
    assert edge.seconds == 0.25
    assert edge.note == "counts requests slower than 0.25 s, the next bucket edge below 0.3 s"


def test_only_edges_that_all_pods_have() -> None:
    assert chosen(0.3, USUAL, frozenset({"0.1", "0.3", "0.5", "+Inf"})).seconds == 0.1


def test_a_histogram_in_milliseconds() -> None:
    edge = chosen(0.3, frozenset({"100", "300", "+Inf"}), unit=0.001)
    assert (edge.seconds, edge.labels, edge.note) == (pytest.approx(0.3), ("300",), "")


REFUSED = {
    "above the largest": (0.6, (USUAL,), r"largest finite bucket .* 0\.5 s.*set the bound to 0\.5 s or less"),
    "below the smallest": (0.05, (USUAL,), r"smallest bucket .* 0\.1 s"),
    "nothing in common": (0.3, (USUAL, frozenset({"0.2", "+Inf"})), "no bucket in common"),
    "only infinity": (0.3, (frozenset({"+Inf"}),), "no bucket in common"),
}


@pytest.mark.parametrize(("bound", "pods", "why"), REFUSED.values(), ids=REFUSED)
def test_a_bound_that_cannot_be_told(bound: float, pods: tuple[frozenset[str], ...], why: str) -> None:
    with pytest.raises(BadQuery, match=why):
        chosen(bound, *pods)


def test_the_largest_edge_itself_is_a_good_bound() -> None:
    assert chosen(0.5, USUAL).note == ""


def test_edges_per_pod_ignore_what_is_no_edge() -> None:
    samples = [
        Sample(labels={"pod": pod, "le": le}, value=1)
        for pod, le in [("a", "0.1"), ("a", "+Inf"), ("b", "x"), ("b", "nan"), ("b", "1")]
    ]
    assert edges_by_pod(samples) == {"a": {"0.1", "+Inf"}, "b": {"1"}}


COARSER = {
    "the same": ((1.0, 2.0), [7, 2, 1]),
    "every second edge": ((2.0,), [9, 1]),
    "one edge": ((1.0,), [7, 3]),
    "written otherwise": ((1.0 + 1e-12, 2.0), [7, 2, 1]),
    "a finer edge": ((1.0, 1.5, 2.0), None),
    "an edge beyond": ((1.0, 2.0, 3.0), None),
}


@pytest.mark.parametrize(("edges", "expected"), COARSER.values(), ids=COARSER)
def test_a_reference_in_the_buckets_of_the_pods(edges: tuple[float, ...], expected: list[int] | None) -> None:
    assert in_buckets((7, 2, 1), (1.0, 2.0), edges) == expected
