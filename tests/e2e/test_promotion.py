"""Scenarios 2 and 10: a revision that is no worse is promoted, with the very pods that were analysed."""

from itertools import pairwise

from e2e.manifests import model_spec, pod_template, weights
from e2e.model import Model, Models, canary_of, is_ready_at, is_true, rejections_of, stable_of


def test_good_revision_is_promoted_without_a_lost_request(models: Models) -> None:
    model = models("promoted")
    steps = weights(25, 50)
    model.apply(model_spec(replicas=3, steps=steps))
    first = model.wait_ready()
    with model.load(new_per_second=20, kept_per_second=5) as load, model.recording() as recording:
        model.apply(model_spec(replicas=3, steps=steps, template=pod_template(env={"VERSION": "2"})))
        second = model.wait_canary(after=first)["revision"]
        analysed = model.pod_uids(second)
        model.wait("the last step", lambda obj: canary_of(obj).get("step") == 1, within=90, never=rejections_of)
        model.wait_canary(after=first, step=1)
        analysed |= model.pod_uids(second)
        promoted = model.wait_promoted(second)
        model.wait_gone(first)
        served_by_second = load.counts().answers_of(second)
        load.wait_for(lambda counts: counts.answers_of(second) > served_by_second + 20, 60)
        serving = model.pod_uids(second)

    unreachable = model.wait_event("WeightUnreachable")
    assert "50 %" in unreachable["message"]
    assert "40 %" in unreachable["message"], "2 of 5 pods are the canary's"
    counts = load.counts()
    assert counts.new.failed == 0, counts.to_wire()
    assert counts.new.skipped == 0, "the load did not keep its rate, so it proves less than it says"
    assert analysed <= serving, "promotion replaced pods that were analysed"
    assert len(serving) == 3
    assert model.served_revision() == second
    assert stable_of(promoted)["weight"] == 100
    _assert_weights_rise([canary_of(obj) for obj in recording.objects if canary_of(obj)], [25, 50])
    assert not any(is_true(obj, "Stalled") for obj in recording.objects)
    _assert_report_tells_it(model, second, promoted_requests=counts.answers_of(second))


def _assert_weights_rise(canaries: list[dict[str, object]], asked: list[int]) -> None:
    weights_seen = [each["weight"] for each in canaries]
    assert all(earlier <= later for earlier, later in pairwise(weights_seen)), weights_seen
    assert set(asked) <= set(weights_seen), weights_seen
    at_first_step = [each for each in canaries if each["step"] == 0 and each["state"] == "Analysing"]
    assert at_first_step[-1]["actualWeight"] == 25, "1 of 4 pods is the canary's"


def _assert_report_tells_it(model: Model, revision: str, promoted_requests: int) -> None:
    report = model.report(revision)
    evidence = model.evidence(revision)
    assert report["status"]["outcome"]["result"] == "Promoted"
    assert report["status"]["decisions"], "no decision was recorded"
    assert 0 < evidence["canaryTotal"] <= promoted_requests
    assert evidence["canaryBad"] == 0


def test_errors_that_both_revisions_make_are_no_reason(models: Models) -> None:
    model = models("both-fail")
    faulty = {"ERROR_SHARE": "0.08"}
    signals = [{"name": "errors", "kind": "Errors", "margin": "2%", "unacceptable": "8%"}]
    analysis = {"interval": "5s", "signals": signals}
    model.apply(model_spec(analysis=analysis, template=pod_template(env=faulty)))
    first = model.wait_ready()
    with model.load(new_per_second=30) as load:
        model.apply(model_spec(analysis=analysis, template=pod_template(env={**faulty, "VERSION": "2"})))
        second = model.wait_canary(after=first)["revision"]
        model.wait_promoted(second)
        assert load.counts().new.bad > 0

    evidence = model.evidence(second)
    assert evidence["canaryBad"] >= 10
    assert evidence["stableBad"] >= 10
    assert is_ready_at(model.seen(), second)
