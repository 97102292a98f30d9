"""How far the outputs of two sides lie apart."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.gates.distance import Distance, distance

values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("canary", "stable", "outputs", "expected"),
    [
        ([1, 2.5], [1, 2], (), Distance(largest=0.5, total=0.5, numbers=2)),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, (), Distance(numbers=2)),
        ({"p": [1, 2], "id": "x"}, {"p": [1, 4], "id": "y"}, ("$.p",), Distance(largest=2, total=2, numbers=2)),
        (["cat"], ["dog"], (), Distance(others=1, unlike=1)),
        (["1"], [1], (), Distance(others=1, unlike=1)),
        ([True], [1], (), Distance(others=1, unlike=1)),
        ([None], [None], (), Distance(others=1)),
        ([1], [1, 2], (), Distance(shapes="at $ the canary gives 1 values and stable 2")),
        ([1], [1], ("$.nowhere",), Distance(blank=1)),
        ({"p": []}, {"p": []}, ("$.p",), Distance(blank=1)),
        ({"cat": 1, "dog": 0}, {"cat": 1, "wolf": 0}, (), Distance(shapes="only the canary gives dog at $")),
        ({"a": [{}]}, {"a": [{"b": 1}]}, (), Distance(shapes="only stable gives b at $.a[0]")),
        ([[1, 2], [3]], [[1, 2, 3], []], (), Distance(shapes="at $[0] the canary gives 2 values and stable 3")),
        ({"p": [1]}, {"p": 1}, (), Distance(shapes="at $.p the canary gives a list and stable a single value")),
        ([int("9" * 400)], [1], (), Distance(largest=math.inf, total=math.inf, numbers=1)),
        ([int("9" * 400)], [0.5], (), Distance(largest=math.inf, total=math.inf, numbers=1)),
        ([int("9" * 400)], [int("9" * 400)], (), Distance(numbers=1)),
        ([math.nan], [math.nan], (), Distance(numbers=1)),
        ([math.nan], [1.0], (), Distance(largest=math.inf, total=math.inf, numbers=1)),
    ],
)
def test_distances(canary: Any, stable: Any, outputs: tuple[str, ...], expected: Distance) -> None:
    assert distance(json.dumps(canary), json.dumps(stable), outputs) == expected


@given(values)
def test_the_same_answer_has_no_distance(value: Any) -> None:
    found = distance(json.dumps(value), json.dumps(value), ())
    assert found.exceeds(0.0) is bool(found.blank)
    assert bool(found.blank) is not bool(found.numbers + found.others)


@given(values, values)
def test_a_distance_is_the_same_both_ways(one: Any, other: Any) -> None:
    there, back = (distance(json.dumps(a), json.dumps(b), ()) for a, b in ((one, other), (other, one)))
    assert (there.largest, there.unlike, bool(there.shapes)) == (back.largest, back.unlike, bool(back.shapes))


def test_texts_are_compared_whole() -> None:
    assert distance("pong", "pong", ()) == Distance(others=1)
    assert distance("pong", "ping", ()).exceeds(100.0)


@pytest.mark.parametrize(
    ("found", "tolerance", "exceeds"),
    [
        (Distance(largest=0.5, numbers=1), 0.5, False),
        (Distance(largest=0.5, numbers=1), 0.4, True),
        (Distance(largest=math.inf, numbers=1), 1e300, True),
        (Distance(others=2, unlike=1), 1e9, True),
        (Distance(shapes="differ"), 1e9, True),
        (Distance(numbers=1).plus(Distance(blank=1)), 1e9, True),
    ],
)
def test_tolerance(found: Distance, tolerance: float, exceeds: bool) -> None:
    assert found.exceeds(tolerance) is exceeds


def test_it_is_told_in_words() -> None:
    two = Distance(largest=0.5, total=0.6, numbers=2).plus(Distance(others=3, unlike=1))
    assert str(two) == "largest distance 0.5 (mean 0.3) over 2 numbers, 1 of 3 other values differ"
    assert str(Distance()) == "nothing to compare"
    assert str(Distance(numbers=1).plus(Distance(blank=1))).endswith("1 of the pairs have nothing to compare")


def test_a_place_is_told_shortly() -> None:
    deep: Any = {"x" * 5000: [1]}
    other: Any = {"x" * 5000: [1, 2]}
    for _ in range(50):
        deep, other = {"y" * 1000: deep}, {"y" * 1000: other}
    assert len(distance(json.dumps(deep), json.dumps(other), ()).shapes) < 200
