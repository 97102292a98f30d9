from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serinus.cluster.merge import make_merge_patch, merge

leaves = st.sampled_from([0, 1, True, "", "x", [], [1]])
keys = st.sampled_from("abc")
inner = st.dictionaries(keys, leaves, max_size=3)
middle = st.dictionaries(keys, leaves | inner, max_size=3)
objects = st.dictionaries(keys, leaves | middle, max_size=3)


@given(before=objects, after=objects)
def test_a_patch_made_from_two_objects_turns_one_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    kept = repr(before)
    assert merge(before, make_merge_patch(before, after)) == after
    assert repr(before) == kept


@given(same=objects)
def test_equal_objects_need_no_patch(same: dict[str, Any]) -> None:
    assert make_merge_patch(same, same) == {}


def test_fields_that_vanish_become_null_at_every_depth() -> None:
    assert make_merge_patch({"a": {"b": 1, "c": 2}, "d": 1}, {"a": {"b": 1}}) == {"a": {"c": None}, "d": None}
