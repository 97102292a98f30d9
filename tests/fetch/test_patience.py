"""How often a failing store is asked, and how long is waited in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.fetch.failures import FetchFailed, Passing, Reason
from serinus.fetch.patience import Patience, ask


def test_a_store_is_asked_so_often_and_then_given_up():
    asked, told = [], []

    def question():
        asked.append(1)
        raise Passing("no answer")

    with pytest.raises(FetchFailed, match="asked 4 times") as failed:
        ask(question, Patience(attempts=4, first_wait_seconds=0.0), told.append)
    assert (len(asked), len(told), failed.value.reason) == (4, 3, Reason.UNREACHABLE)


def test_an_answer_ends_it():
    answers = iter([Passing("no"), Passing("no"), 7])

    def question():
        answer = next(answers)
        if isinstance(answer, Passing):
            raise answer
        return answer

    assert ask(question, Patience(first_wait_seconds=0.0), lambda _: None) == 7


@given(st.integers(1, 50), st.none() | st.floats(0, 1000))
def test_waits_grow_up_to_a_bound_and_obey_the_server(failed, wish):
    wait = Patience().wait_seconds(failed, Passing("", wait_seconds=wish))
    own = min(15.0, 0.5 * 2.0 ** (failed - 1))
    assert max(own / 2, min(wish or 0.0, 60.0)) <= wait <= max(own, min(wish or 0.0, 60.0))
