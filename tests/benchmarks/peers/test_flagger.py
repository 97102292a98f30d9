"""Flagger's state machine, as its source and its page "How it works" tell it."""

import numpy as np
import pytest
from benchmarks.decisions.policy import NEVER, Conditions, Outcome
from benchmarks.peers.flagger import F98, F99, Flagger

from support.peer_streams import constant, first_rollback, outcomes

GOOD, BAD, EMPTY = (100, 0, 900, 0), (100, 50, 900, 0), (0, 0, 900, 0)
ONCE = Flagger(name="once", minimum=0.99, threshold=1)
THRICE = Flagger(name="thrice", minimum=0.99, threshold=3)
RAMP = Conditions(steps=(5, 10, 25, 50, 100))


def first(policy, rows):
    return policy.first_rollbacks(np.array([rows], dtype=np.int64), Conditions())[0]


class TestBreaches:
    @pytest.mark.parametrize(
        ("policy", "rows", "tick"),
        [
            pytest.param(ONCE, [BAD, GOOD, GOOD], 2, id="one tick late"),
            pytest.param(ONCE, [BAD], NEVER, id="not at the tick of the breach"),
            pytest.param(THRICE, [BAD, BAD, GOOD, GOOD, GOOD, GOOD], 4, id="a window of two ticks breaches thrice"),
            pytest.param(THRICE, [BAD, GOOD, GOOD, GOOD, BAD, GOOD, GOOD], 6, id="never reset by good ticks"),
            pytest.param(THRICE, [EMPTY] * 5, 4, id="no traffic is a breach"),
            pytest.param(THRICE, [EMPTY, GOOD, EMPTY, GOOD], NEVER, id="unless the window holds some"),
            pytest.param(THRICE, [GOOD] * 9, NEVER, id="good"),
        ],
    )
    def test_are_counted(self, policy, rows, tick):
        assert first(policy, rows) == first_rollback(policy, rows, Conditions()) == tick

    @pytest.mark.parametrize(("bad", "breached"), [(1, False), (2, True)])
    def test_the_bound_itself_is_allowed(self, bad, breached):
        rows = [(100, bad, 0, 0)] * 3
        assert bool(first(ONCE, rows) != NEVER) is breached

    def test_the_published_configurations(self):
        assert first(F99, constant(BAD, 12)[0]) == 11
        assert first(F98, constant(BAD, 12)[0]) == 6

    def test_stable_is_never_asked(self):
        assert first(ONCE, [(100, 5, 900, 45)] * 3) == 2


class TestWholeRollout:
    def test_a_good_canary_climbs_by_five_each_minute_and_is_promoted_after_ten(self):
        seen = outcomes(F99, [GOOD] * 30, RAMP)
        assert [weight for weight, _ in seen][::2] == list(range(5, 51, 5))
        assert seen[-1] == (50, Outcome.PROMOTE)
        assert len(seen) == 20

    def test_a_breach_halts_the_advance_and_is_remembered(self):
        # Checked each second tick: good, breach, good, breach, good, breach, then rolled back.
        rows = [GOOD, GOOD, BAD, BAD] * 4
        seen = outcomes(THRICE, rows, RAMP)
        assert seen[-1] == (20, Outcome.ROLLBACK)
        assert len(seen) == 14

    def test_the_threshold_is_looked_at_before_measuring(self):
        seen = outcomes(ONCE, [BAD, BAD, GOOD, GOOD], RAMP)
        assert [answer for _, answer in seen] == [None, None, None, Outcome.ROLLBACK]
