"""By which presets two sides are read, as their metrics come to light."""

import pytest

from serinus.rollout.types import Signal, SignalAction, SignalKind
from serinus.signals.recognition import Recognition, is_settled, recognise_sides, views_of
from serinus.signals.scope import BySide, alike

REVISIONS = BySide(canary="c", stable="s")
KSERVE, MLSERVER = "request_preprocess_seconds_count", "model_infer_request_duration_count"
OLD, NEW = "revision_app_request_count", "kn_serving_invocation_duration_seconds_count"
DATA, ANY = "serinus_predictions_total", "http_requests_total"

# declared by canary and stable, exported by canary and stable -> read as, recognised, contradicting
CASES = {
    "nothing is exported": (("mlserver", "mlserver"), ((), ()), ("mlserver", "mlserver"), (False, False), False),
    "stable tells what the canary is": (
        ("generic", "generic"),
        ((), (KSERVE,)),
        ("kserve", "kserve"),
        (False, True),
        False,
    ),
    "both the same": (("generic", "generic"), ((KSERVE,), (KSERVE,)), ("kserve", "kserve"), (True, True), False),
    "each its own": (("mlserver", "kserve"), ((MLSERVER,), (KSERVE,)), ("mlserver", "kserve"), (True, True), False),
    "each its own, canary silent": (
        ("mlserver", "kserve"),
        ((), (KSERVE,)),
        ("mlserver", "kserve"),
        (False, True),
        False,
    ),
    "renamed by a new version": (
        ("knative", "knative"),
        ((NEW,), (OLD,)),
        ("knative-1.21", "knative-1.0"),
        (True, True),
        True,
    ),
    "renamed, both names": (
        ("knative", "knative"),
        ((NEW, OLD), (OLD,)),
        ("knative-1.0", "knative-1.0"),
        (True, True),
        False,
    ),
    "another server in the same template": (
        ("generic", "generic"),
        ((MLSERVER,), (KSERVE,)),
        ("mlserver", "kserve"),
        (True, True),
        True,
    ),
}


@pytest.mark.parametrize(("declared", "exported", "runtimes", "recognised", "contradicts"), CASES.values(), ids=CASES)
def test_each_side_is_read_by_what_its_pods_export(
    declared: tuple[str, str],
    exported: tuple[tuple[str, ...], tuple[str, ...]],
    runtimes: tuple[str, str],
    recognised: tuple[bool, bool],
    contradicts: bool,
) -> None:
    sides = BySide(canary=frozenset(exported[0]), stable=frozenset(exported[1]))
    found = recognise_sides(REVISIONS, BySide(canary=declared[0], stable=declared[1]), sides, {})
    assert (found.canary.runtime, found.stable.runtime) == runtimes
    assert (found.canary.recognised, found.stable.recognised) == recognised
    assert found.canary.contradicts == contradicts
    assert found.canary.because
    assert found.stable.because


def both(*names: str):
    return alike(frozenset(names))


def known(found) -> dict[str, Recognition]:
    return {each.revision: each for each in (found.canary, found.stable)}


def test_what_was_recognised_stays_when_series_go_and_instrumentation_may_come_later() -> None:
    first = recognise_sides(REVISIONS, alike("generic"), both(KSERVE), {})
    assert recognise_sides(REVISIONS, alike("generic"), both(), known(first)) == first
    later = recognise_sides(REVISIONS, alike("generic"), both(DATA, ANY), known(first))
    assert (later.canary.runtime, later.canary.data) == ("kserve", "instrument")


def test_a_canary_that_first_showed_another_servers_metrics_is_read_as_stable_once_it_shows_those() -> None:
    stable = frozenset({KSERVE})
    early = recognise_sides(REVISIONS, alike("generic"), BySide(canary=frozenset({MLSERVER}), stable=stable), {})
    assert early.canary.contradicts
    late = recognise_sides(REVISIONS, alike("generic"), both(KSERVE, MLSERVER), known(early))
    assert (late.canary.runtime, late.canary.contradicts) == ("kserve", False)


def drift(**fields: object) -> Signal:
    return Signal(name="d", kind=SignalKind.PREDICTION_DRIFT, action=SignalAction.HOLD, **fields)


def test_asking_ends_when_servers_and_wanted_instrumentation_are_known() -> None:
    plain = recognise_sides(REVISIONS, alike("generic"), both(KSERVE), {})
    rich = recognise_sides(REVISIONS, alike("generic"), both(KSERVE, DATA), {})
    assert is_settled(plain, ())
    assert is_settled(plain, [drift(buckets="mine_bucket")])
    assert not is_settled(plain, [drift()])
    assert is_settled(rich, [drift()])
    assert not is_settled(recognise_sides(REVISIONS, alike("generic"), both(), {}), ())


def test_views_have_the_models_name() -> None:
    found = views_of(recognise_sides(REVISIONS, alike("generic"), both(KSERVE, DATA), {}), "fraud")
    assert found.canary.server.errors is not None
    assert str(found.canary.server.errors.total[0]) == 'request_predict_seconds_count{model_name="fraud"}'
    assert found.stable.data is not None
