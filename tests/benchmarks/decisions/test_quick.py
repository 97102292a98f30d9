"""The quick suite of the benchmark: everything its replicates can carry."""

from pathlib import Path

import pytest
from benchmarks.decisions.bars import findings
from benchmarks.decisions.outcomes import read_outcomes
from benchmarks.decisions.runner import run
from benchmarks.decisions.store import Store
from benchmarks.decisions.suites import QUICK, quick_aims


@pytest.mark.bench
def test_no_bar_is_missed_by_more_than_chance(tmp_path: Path) -> None:
    """Seeded; a share counts as missed beyond three Monte-Carlo standard errors (exact binomial bounds)."""
    store = Store(tmp_path)
    assert run(quick_aims(), store, seconds=600.0)
    outcomes = read_outcomes(store)
    assert set(QUICK) == set(outcomes.cells) | set(outcomes.rollouts)
    assert [each for each in findings(outcomes) if not each.holds] == []
