"""Seeded simulations that defend the two stated error rates and the speed of the verdict."""

import numpy as np
import pytest

from judge.rollouts import errors, plan, rates, tick
from serinus.judge.judge import assess
from serinus.judge.running import Running
from serinus.stats import count_process
from serinus.stats.counts import Counts
from serinus.stats.starts import start_mass

pytestmark = pytest.mark.random


def false_rollback_share(rng: np.random.Generator, *, replicates: int, looks: int, rate: float) -> float:
    """Both sides fail alike; errors, traffic and the canary's share change from tick to tick."""
    wrong = 0
    for _ in range(replicates):
        capital = count_process.fresh()
        for look in range(looks):
            outage = rate * (8.0 if rng.random() < 0.05 else 1.0)
            canary, stable = 20 + look // 4, 60
            counts = Counts(
                canary_total=canary,
                canary_bad=int(rng.binomial(canary, outage)),
                stable_total=stable,
                stable_bad=int(rng.binomial(stable, outage)),
            )
            start = start_mass(ticks_before=look, new_step=look % 40 == 0, steps=3)
            capital = count_process.advance(capital, counts, start=start, threshold=20.0)
        wrong += capital.reached(20.0)
    return wrong / replicates


def test_false_rollbacks_over_120_looks_stay_below_alpha() -> None:
    replicates = 160
    share = false_rollback_share(np.random.default_rng(11), replicates=replicates, looks=120, rate=0.02)
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / replicates)


def test_an_unacceptable_canary_is_promoted_no_more_often_than_beta() -> None:
    """Exactly at the bound of the next step, watched until it is proven or 60 ticks have passed."""
    rng, of, replicates, promoted = np.random.default_rng(12), plan(errors(), weights=(50,)), 120, 0
    for _ in range(replicates):
        running = Running()
        for number in range(1, 61):
            measured = rates((150, int(rng.binomial(150, 0.02))), (150, int(rng.binomial(150, 0.01))))
            running, said = assess(of, running, tick(number, 0, 100, errors=measured))
            if said.promote or said.rollback:
                promoted += said.promote
                break
    assert promoted / replicates <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / replicates)


def test_the_demo_is_decided_within_six_ticks() -> None:
    """20 requests/s, a quarter of them to a canary that fails one in ten, ticks of 5 s."""
    rng, of, needed = np.random.default_rng(13), plan(errors(), weights=(25, 50)), []
    for _ in range(60):
        running = Running()
        for number in range(1, 20):
            measured = rates((25, int(rng.binomial(25, 0.1))), (75, int(rng.binomial(75, 0.002))))
            running, said = assess(of, running, tick(number, 0, 50, errors=measured))
            if said.rollback:
                needed.append(number)
                break
    assert len(needed) == 60
    assert np.quantile(needed, 0.9) <= 6


def test_a_good_canary_with_the_usual_errors_is_promoted() -> None:
    """10 requests/s, 1 percent of errors on both sides, 5 → 10 → 25 → 50 → 100 percent, ticks of 30 s."""
    rng, weights, outcomes, durations = np.random.default_rng(14), (5, 10, 25, 50), [], []
    of = plan(errors(), weights=weights)
    for _ in range(40):
        running, step, number = Running(), 0, 0
        while step < len(weights) and number < 120:
            number += 1
            canary = int(rng.binomial(300, weights[step] / 100))
            measured = rates(
                (canary, int(rng.binomial(canary, 0.01))), (300 - canary, int(rng.binomial(300 - canary, 0.01)))
            )
            running, said = assess(of, running, tick(number, step, (*weights[1:], 100)[step], errors=measured))
            if said.rollback:
                break
            step += said.promote
        outcomes.append(step == len(weights))
        durations.append(number)
    assert np.mean(outcomes) >= 0.85
    assert np.median(durations) <= 20
