"""Counts for tests of peers, and the two ways of showing them to a policy."""

import numpy as np
from benchmarks.decisions.policy import NEVER, Conditions, Outcome, TickData


def poisson(seed, *, replicates, canary_per_tick, stable_per_tick, canary_share, stable_share, ticks=120):
    """Draw independent requests and errors, shape (replicates, ticks, 4)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    canary = rng.poisson(canary_per_tick, (replicates, ticks))
    stable = rng.poisson(stable_per_tick, (replicates, ticks))
    columns = (canary, rng.binomial(canary, canary_share), stable, rng.binomial(stable, stable_share))
    return np.stack(columns, axis=-1)


def constant(tick, ticks):
    """Return one replicate in which each tick counts the same."""
    return np.tile(np.array(tick, dtype=np.int64), (1, ticks, 1))


def outcomes(policy, rows, conditions=None):
    """Show ticks one by one; return the weight in force and the answer at each, until there is an outcome."""
    run = policy.start(conditions or Conditions())
    seen = []
    for number, (n_c, x_c, n_s, x_s) in enumerate(rows, start=1):
        weight = run.weight
        tick = TickData(number=number, weight=weight, canary=((n_c, x_c),), stable=((n_s, x_s),))
        seen.append((weight, run.on_tick(tick)))
        if seen[-1][1] is not None:
            break
    return seen


def first_rollback(policy, rows, conditions):
    """Return the tick at which a run that sees tick after tick rolls back, ``NEVER`` if it does not."""
    seen = outcomes(policy, rows, conditions)
    return len(seen) if seen[-1][1] is Outcome.ROLLBACK else NEVER
