"""What counts as a missed bar, as a table; and that work is neither done twice nor lost."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.decisions.bars import findings, sound_peers
from benchmarks.decisions.cells import Cell, errors_cell
from benchmarks.decisions.losses import losses
from benchmarks.decisions.outcomes import Outcomes, PeerSummary
from benchmarks.decisions.policy import NEVER
from benchmarks.decisions.replicate import Result
from benchmarks.decisions.rollouts import Ending, rollout_cells, sum_up
from benchmarks.decisions.runner import run
from benchmarks.decisions.serinus import CALM
from benchmarks.decisions.store import Store
from benchmarks.decisions.summary import Share, summarise
from benchmarks.decisions.tables import report
from benchmarks.decisions.traffic import World

from support.counting import Counting

NULL = errors_cell("null", "S1", World(), bar=0.05)
BAD = errors_cell("bad", "S1", World(canary=0.05))
FAST = replace(BAD, most_seconds=90.0)
LATE = errors_cell("late", "S2", World(canary=0.05, onset_tick=20), most_seconds=240.0)
SILENT = replace(NULL, scenario="S12", bar=0.0)
DRIFT = replace(BAD, scenario="S8", least_share=0.85)
FAULTY = replace(BAD, scenario="S6")


def results(*ticks: int, times: int = 100, reason: str = "ErrorsWorse") -> list[Result]:
    return [Result(replicate=i, rollback=tick, reason=reason) for i, tick in enumerate(ticks * times)]


def outcomes(cell: Cell, found: Sequence[Result], **peers: tuple[float, float]) -> Outcomes:
    told = {
        name: PeerSummary(rolled_back=Share(hits=round(share * 100), of=100), median_seconds=median)
        for name, (share, median) in peers.items()
    }
    return Outcomes(cells={cell.name: (cell, summarise(cell, found))}, peers={cell.name: told}, rollouts={})


MANY = (NEVER,) * 19
CASES = {
    "a twentieth rolled back": (outcomes(NULL, results(5, *MANY)), []),
    "a tenth": (outcomes(NULL, results(5, 9, *MANY[1:])), [1]),
    "a tenth of few is chance": (outcomes(NULL, results(5, 9, *MANY[1:], times=1)), []),
    "at the oracle's limit": (outcomes(BAD, results(6), **{"Poc*": (1.0, 75.0)}), []),
    "beyond it": (outcomes(BAD, results(7), **{"Poc*": (1.0, 75.0)}), [2]),
    "an oracle that finds nothing": (outcomes(FAST, results(3), **{"Poc*": (0.1, float("inf"))}), []),
    "a catastrophe in time": (outcomes(FAST, results(3)), []),
    "a catastrophe too late": (outcomes(FAST, results(4)), [2]),
    "late, in time": (outcomes(LATE, results(28)), []),
    "late, too late": (outcomes(LATE, results(29)), [3]),
    "before its onset": (outcomes(LATE, results(20)), [1, 3]),
    "silence": (outcomes(SILENT, results(NEVER)), []),
    "a rollback in silence": (outcomes(SILENT, results(9, *MANY)), [7]),
    "drift seen": (outcomes(DRIFT, results(9)), []),
    "drift missed": (outcomes(DRIFT, results(NEVER)), [6]),
    "blamed on errors": (outcomes(FAULTY, results(9)), []),
    "blamed on missing data": (outcomes(FAULTY, results(9, reason="NoTraffic")), [7]),
}


@pytest.mark.parametrize(("of", "missed"), CASES.values(), ids=CASES)
def test_missed_bars(of: Outcomes, missed: list[int]) -> None:
    found = findings(of)
    assert found
    assert sorted(each.bar for each in found if not each.holds) == missed


def test_sound_peers_hold_every_null_cell() -> None:
    of = outcomes(NULL, results(NEVER), LM=(0.0, float("inf")), Fi05=(0.2, float("inf")), ECST=(0.0, float("inf")))
    assert sound_peers(of) == ("LM",)


def test_exact_bounds_of_a_share() -> None:
    """Clopper-Pearson: none of n leaves 1 - chance ** (1 / n)."""
    assert Share(hits=0, of=100).lower() == 0.0
    assert Share(hits=0, of=100).upper(0.05) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert Share(hits=100, of=100).lower(0.05) == pytest.approx(0.05 ** (1 / 100))
    assert Share(hits=5, of=100).lower() < 0.05 < Share(hits=5, of=100).upper()


ROLLOUTS = {each.name: each for each in rollout_cells()}
ENDINGS = {
    "a good one in time": ("rollout 10/s canary 1%", "promote", 20, 0.0, []),
    "a good one too late": ("rollout 10/s canary 1%", "promote", 21, 0.0, [4]),
    "a good one refused": ("rollout 10/s canary 1%", "rollback", 9, 0.0, [4]),
    "a good one refused at little traffic": ("rollout 1/s canary 1%", "rollback", 9, 0.0, [4]),
    "a good one promoted at little traffic": ("rollout 1/s canary 1%", "promote", 90, 0.0, []),
    "a bad one promoted": ("rollout 10/s canary 2%", "promote", 9, 9.0, [4]),
    "more harm than Flagger": ("rollout 10/s canary 5%", "rollback", 9, 50.0, [5]),
    "less harm than Flagger": ("rollout 10/s canary 5%", "rollback", 9, 5.0, []),
}


@pytest.mark.parametrize(("name", "outcome", "tick", "excess", "missed"), ENDINGS.values(), ids=ENDINGS)
def test_missed_bars_of_rollouts(name: str, outcome: str, tick: int, excess: float, missed: list[int]) -> None:
    ours = sum_up([Ending(replicate=i, outcome=outcome, tick=tick, excess=excess + i % 2) for i in range(200)])
    theirs = sum_up([Ending(replicate=i, outcome="rollback", tick=20, excess=20.0 + i % 2) for i in range(200)])
    of = Outcomes(
        cells={}, peers={}, rollouts={name: (ROLLOUTS[name], {"Serinus": ours, CALM.name: ours, "F98": theirs})}
    )
    assert sorted(each.bar for each in findings(of) if not each.holds) == missed


def test_the_page_has_lost_cells_beside_won_ones() -> None:
    of = outcomes(BAD, results(7), **{"Poc*": (1.0, 75.0)})
    page = report(of, findings(of), {"seed": "7"}, ["speed.svg"])
    assert "| 2 | **missed** | bad | 210 s | at most 180 s (1.6 x Poc* + 60 s) |" in page
    assert "| bad | **1.000 ± 0.000 of 100** | 210 s | 210 s | 0 | ErrorsWorse 100 |  | 1 / 75 s |" in page
    assert "- seed: 7" in page


def test_the_page_says_where_a_peer_is_faster() -> None:
    """Sound is who holds bar 1 in cells of this sort; a yardstick is no peer; a cell that is won is not there."""
    fast, slow = (1.0, 90.0), (1.0, 600.0)
    lost = outcomes(BAD, results(7), LM=fast, Fi05=fast, K10=slow, **{"Poc*": fast})
    calm, rash = (0.0, float("inf")), (0.9, float("inf"))
    null = outcomes(NULL, results(NEVER), LM=calm, K10=calm, Fi05=rash, **{"Poc*": calm})
    won = outcomes(LATE, results(21), LM=slow)
    of = Outcomes(
        cells={**lost.cells, **null.cells, **won.cells}, peers={**lost.peers, **null.peers, **won.peers}, rollouts={}
    )
    assert [(each.cell.name, *map(list, (each.sound, each.unsound, each.told_more))) for each in losses(of)] == [
        ("bad", ["LM"], ["Fi05"], ["Poc*"])
    ]
    page = report(of, [], {}, [])
    assert "| bad | 1 / 210 s | LM 1 / 90 s | Fi05 1 / 90 s | Poc* 1 / 90 s |" in page
    assert "Of 2 cells with a bad canary a peer that holds bar 1 has the shorter median in 1, in 0" in page
    assert "| Fi05 | 1 | 1 | 0.900 ± 0.030 of 100 | null |" in page
    assert "| Serinus | 1 | 0 | 0.000 ± 0.000 of 100 | null |" in page


@pytest.mark.parametrize(("theirs", "wins"), [(0.45, True), (0.3, False)])
def test_where_nobody_has_a_median_clearly_more_rollbacks_win(theirs: float, wins: bool) -> None:
    of = outcomes(DRIFT, results(9, *(NEVER,) * 4), Evidently=(theirs, float("inf")))
    assert bool(losses(of)) is wins


def test_a_run_is_taken_up_where_it_was_left(tmp_path: Path) -> None:
    store, line = Store(tmp_path), Counting("a line / with marks")
    assert not run({line: 50}, store, seconds=0.0, workers=1)
    assert store.rows(line.key) == []
    store.add(line.key, [{"replicate": 3, "square": -1}])
    assert run({line: 50}, store, seconds=60.0, workers=1)
    with next(tmp_path.iterdir()).open("a") as file:
        file.write('{"replicate": 5, "squ')
    rows = store.rows(line.key)
    assert [each["replicate"] for each in rows] == list(range(50))
    assert [each["square"] for each in rows] == [-1 if i == 3 else i**2 for i in range(50)]
    assert np.isfinite([each["square"] for each in rows]).all()
