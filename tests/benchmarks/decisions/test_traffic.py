"""The simulated services do what their worlds say, within Monte-Carlo error (seeded)."""

import numpy as np
import pytest
from benchmarks.decisions.cells import errors_cell
from benchmarks.decisions.histograms import Latency, normal_edges, normal_shares
from benchmarks.decisions.sources import Labels, wandering
from benchmarks.decisions.suites import all_cells, full_aims
from benchmarks.decisions.traffic import HISTORY_TICKS, Routing, Scene, World, sums

TICKS = 400


def counts(world: World, weight: float = 20.0) -> np.ndarray:
    scene = Scene(world, np.random.default_rng(5), TICKS)
    return scene.counts(np.full(TICKS, weight))


def totals(world: World, weight: float = 20.0) -> np.ndarray:
    return sums(counts(world, weight), world.canary_pods).sum(axis=0)


WORLDS = {
    "plain": World(canary=0.03),
    "bursts": World(canary=0.03, bursts=3.0),
    "sessions": World(canary=0.03, routing=Routing.SESSIONS),
    "connections": World(canary=0.03, routing=Routing.CONNECTIONS, requests_per_second=50),
    "diurnal": World(canary=0.01, swing=0.8),
    "unlike pods": World(canary=0.01, pods_differ=0.1),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_traffic_and_errors_have_the_shares_of_the_world(world: World) -> None:
    c_total, c_bad, s_total, s_bad = totals(world)
    assert c_total / (c_total + s_total) == pytest.approx(0.2, rel=0.2)
    assert c_total + s_total == pytest.approx(world.requests_per_second * 30 * TICKS, rel=0.1)
    assert s_bad / s_total == pytest.approx(world.base, rel=0.3)
    assert c_bad / c_total == pytest.approx(world.canary, rel=0.3)


def test_bursts_scatter_as_geometric_clusters_do() -> None:
    """The variance of a Poisson sum of geometric clusters of mean b is 2 b - 1 times its mean."""
    bad = counts(World(bursts=5.0, requests_per_second=100))[:, 2:, 1]
    assert bad.var() / bad.mean() == pytest.approx(9.0, rel=0.15)


def test_the_onset_and_the_history_are_where_they_are_said_to_be() -> None:
    world = World(canary=0.5, base=0.0, onset_tick=10)
    scene = Scene(world, np.random.default_rng(1), 20)
    bad = scene.counts(np.full(20, 50.0))[:, :2, 1].sum(axis=1)
    assert scene.history().shape == (HISTORY_TICKS, 4, 2)
    assert bad[:10].sum() == 0
    assert (bad[10:] > 0).all()


def test_both_sides_suffer_an_outage_at_the_same_ticks() -> None:
    bad = counts(World(outages=0.05, requests_per_second=100))
    share = bad[..., 1] / np.maximum(bad[..., 0], 1)
    outages = share.mean(axis=1) > 0.2
    assert 5 <= outages.sum() <= 40
    assert ((share > 0.1).all(axis=1) == outages).all()


def test_a_replicate_is_the_same_each_time_and_unlike_the_next() -> None:
    cell = errors_cell("seeded", "test", World())
    first, again, other = (cell.source.play(cell.rng(each), cell).counts for each in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_laws_of_values() -> None:
    edges = normal_edges(10)
    assert normal_shares(edges) == pytest.approx(np.full(10, 0.1))
    assert normal_shares(normal_edges(5, overflow=0.25))[-1] == pytest.approx(0.25)
    assert Latency().share_above(0.1) == pytest.approx(0.5)
    assert Latency(tail=0.05).share_above(1.0) == pytest.approx(0.05, abs=1e-4)
    series = wandering(np.random.default_rng(2), 20_000, 0.8)
    assert np.corrcoef(series[1:], series[:-1])[0, 1] == pytest.approx(0.8, abs=0.03)
    assert series.std() == pytest.approx(1.0, abs=0.05)


def test_labels_come_late_and_bad_ones_early_where_that_is_said() -> None:
    def shares(source: Labels) -> tuple[float, float]:
        cell = errors_cell("labels", "test", World(), ticks=60)
        ticks = [each["labels"].counts for each in source.play(np.random.default_rng(3), cell).ticks]
        assert sum(each.canary_total for each in ticks[:9]) == 0
        return tuple(
            sum(getattr(each, f"{side}_bad") for each in ticks) / sum(getattr(each, f"{side}_total") for each in ticks)
            for side in ("canary", "stable")
        )

    canary, stable = shares(Labels(signal="labels", per_second=50))
    assert canary == pytest.approx(stable, abs=0.02)
    canary, stable = shares(Labels(signal="labels", per_second=50, early_if_wrong=True))
    assert canary > stable + 0.04


def test_every_cell_can_be_played_and_has_a_name_of_its_own() -> None:
    cells = all_cells()
    assert len({each.name for each in cells}) == len(cells)
    assert len({each.key for each in full_aims()}) == len(full_aims())
    for cell in cells:
        if cell.scenario in ("S7", "S8", "S11", "S12") and "reference of" not in cell.name.split(",")[0]:
            assert set(next(iter(cell.source.play(cell.rng(0), cell).ticks))) == {each.name for each in cell.signals}
