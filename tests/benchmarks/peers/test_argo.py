"""Argo's AnalysisRun: how measurements become a phase, and what the phase does."""

from math import nan

import numpy as np
import pytest
from benchmarks.decisions.policy import NEVER, Conditions, Outcome
from benchmarks.peers.argo import A95, Metric, Phase, assess, measure

from support.peer_streams import first_rollback, outcomes

S, F, U, E = Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR
GOOD, BAD, EMPTY = (100, 0, 900, 0), (100, 50, 900, 0), (0, 0, 900, 0)
RAMP = Conditions(steps=(5, 10, 25, 50, 100))


class TestMeasurement:
    @pytest.mark.parametrize(
        ("value", "failing", "phase"),
        [
            (0.95, None, S),
            (0.9499, None, F),
            (nan, None, F),
            (None, None, E),
            (0.96, 0.9, S),
            (0.92, 0.9, U),
            (nan, 0.9, U),
            (0.89, 0.9, F),
        ],
    )
    def test_has_a_phase(self, value, failing, phase):
        assert measure(value, 0.95, failing) is phase


class TestMetric:
    @pytest.mark.parametrize(
        ("metric", "measurements", "phase"),
        [
            (Metric(), [], Phase.RUNNING),
            (Metric(), [S, S], Phase.RUNNING),
            (Metric(), [F], F),
            (Metric(failure_limit=3), [F, F, F], Phase.RUNNING),
            (Metric(failure_limit=3), [F, F, F, F], F),
            pytest.param(Metric(failure_limit=3), [F, S, S, F, S, F, S, S, F], F, id="failures add up for ever"),
            (Metric(), [U], U),
            (Metric(inconclusive_limit=1), [U, S], Phase.RUNNING),
            (Metric(), [E, E, E, E], Phase.RUNNING),
            (Metric(), [E, E, E, E, E], E),
            pytest.param(Metric(), [E, E, E, E, S, E], Phase.RUNNING, id="a measurement ends the row of errors"),
            pytest.param(Metric(), [F, E, E, E, E, E], E, id="error beats failed"),
            pytest.param(Metric(), [F, U], U, id="inconclusive beats failed"),
            (Metric(count=2), [S], Phase.RUNNING),
            (Metric(count=2), [S, S], S),
            pytest.param(Metric(count=2), [S, E], Phase.RUNNING, id="errors do not count"),
            (Metric(count=2, failure_limit=1), [F, S], S),
            (Metric(consecutive_success_limit=2), [S, F, S], F),
            (Metric(consecutive_success_limit=2, failure_limit=9), [S, F, S, S], S),
            pytest.param(
                Metric(count=3, consecutive_success_limit=2, failure_limit=9), [S, F, S], U, id="count without the row"
            ),
        ],
    )
    def test_has_a_phase(self, metric, measurements, phase):
        assert assess(metric, measurements) is phase


class TestCanary:
    @pytest.mark.parametrize(
        ("rows", "tick"),
        [
            ([BAD] * 5, 4),
            ([BAD] * 3, NEVER),
            pytest.param([GOOD] * 9 + [BAD, GOOD], NEVER, id="half of one tick in ten is 5 percent of the window"),
            pytest.param([BAD] + [GOOD] * 9, 4, id="a bad tick stays in the window for five minutes"),
            pytest.param([EMPTY] * 4, 4, id="NaN fails"),
        ],
    )
    def test_is_rolled_back_at_the_fourth_failure(self, rows, tick):
        assert A95.first_rollbacks(np.array([rows], dtype=np.int64), Conditions())[0] == tick
        assert first_rollback(A95, rows, Conditions()) == tick

    def test_climbs_each_five_minutes_and_is_promoted_after_twenty(self):
        seen = outcomes(A95, [GOOD] * 50, RAMP)
        assert [weight for weight, _ in seen][::10] == [5, 10, 25, 50]
        assert len(seen) == 40
        assert seen[-1] == (50, Outcome.PROMOTE)

    def test_is_found_bad_at_its_last_step_only(self):
        seen = outcomes(A95, [BAD] * 50, RAMP)
        assert len(seen) == 40
        assert seen[-1] == (50, Outcome.ROLLBACK)
