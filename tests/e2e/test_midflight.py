"""Scenario 6: the spec changes while a canary is under way."""

from e2e.manifests import model_spec, pod_template, weights
from e2e.model import Model, Models, canary_of, is_ready_at, rejections_of, stable_of

STEPS = weights(30, 60)


def with_canary(model: Model) -> tuple[str, str]:
    """Return stable's and the canary's revision once the canary waits for evidence at its first step."""
    model.apply(model_spec(steps=STEPS))
    first = model.wait_ready()
    model.apply(model_spec(steps=STEPS, template=pod_template(env={"VERSION": "2"})))
    return first, model.wait_canary(after=first)["revision"]


def test_newer_spec_supersedes_the_canary(models: Models) -> None:
    model = models("superseded")
    first, second = with_canary(model)
    uids = model.pod_uids(first)
    model.apply(model_spec(steps=STEPS, template=pod_template(env={"VERSION": "3"})))
    newest = canary_of(
        model.wait("a newer canary", lambda obj: canary_of(obj).get("revision", second) != second, within=20)
    )
    third = newest["revision"]
    assert (newest["step"], newest["attempt"]) == (0, 1)
    model.wait_gone(second)
    model.wait_canary(after=second)

    seen = model.seen()
    assert stable_of(seen)["revision"] == first
    assert model.pod_uids(first) == uids
    assert model.pods(third)
    assert not rejections_of(seen)
    assert outcome_of(model, second) == "Superseded"


def test_return_to_stable_ends_the_rollout_at_once(models: Models) -> None:
    model = models("returned")
    first, second = with_canary(model)
    uids = model.pod_uids(first)
    model.apply(model_spec(steps=STEPS))
    seen = model.wait("back at the first revision", lambda obj: is_ready_at(obj, first), within=10)

    assert model.served_revision() == first
    assert not rejections_of(seen), "nothing was found against the second revision"
    assert outcome_of(model, second) == "Returned"
    assert not [each for each in decisions_of(model, second) if each.get("verdict") == "FAIL"]
    model.wait_gone(second)
    assert model.pod_uids(first) == uids

    model.apply(model_spec(steps=STEPS, template=pod_template(env={"VERSION": "2"})))
    again = model.wait_canary(after=first)
    assert (again["revision"], again["attempt"]) == (second, 2)


def outcome_of(model: Model, revision: str) -> str:
    """Return how an attempt ended."""
    return str(model.report(revision)["status"]["outcome"]["result"])


def decisions_of(model: Model, revision: str) -> list[dict[str, str]]:
    """Return what was decided during an attempt."""
    found: list[dict[str, str]] = model.report(revision)["status"].get("decisions", [])
    return found
