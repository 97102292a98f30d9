"""A model's artifact: looked up once, pinned for every pod of the revision, followed if it is tracked."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from serinus import contract
from serinus.cluster.kinds import CONTROLLER_REVISION, JOB, MODEL_DEPLOYMENT, POD, Manifest
from serinus.rollout.fetching import CONTAINER
from support.fake_jobs import digest_of
from support.fake_pods import Fault
from support.situations import QUICK, truth
from support.world import NAMESPACE, World, model_deployment

URI = "s3://models/fraud"
INTERVAL = timedelta(seconds=20)
OLD, NEW = "first weights", "second weights"


def spec(uri: str = URI, image: str = "server:1", **model: Any) -> Manifest:
    return model_deployment(image, model={"uri": uri, **model}, rollout=QUICK, replicas=2)


def serving(**model: Any) -> World:
    """Return a world in which the first revision serves an artifact."""
    world = World(60.0)
    world.fetching = replace(world.fetching, track_interval=INTERVAL)
    world.restart()
    world.cluster.store.content[URI] = OLD
    world.apply(spec(**model))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    return world


def pins(world: World) -> dict[str, set[str]]:
    """Return what each revision's pods fetch, by revision."""
    found: dict[str, set[str]] = {}
    for pod in world.cluster.list(POD, NAMESPACE, {contract.LABEL_MANAGED_BY: contract.MANAGED_BY}):
        arguments = pod["spec"]["initContainers"][0]["args"]
        found.setdefault(pod["metadata"]["labels"][contract.LABEL_REVISION], set()).add(arguments[-1])
    return found


def stable_of(world: World) -> str:
    return str(world.status()["stable"]["revision"])


def has_canary(world: World) -> bool:
    return bool(world.status().get("canary"))


# --- looked up once -----------------------------------------------------------------------------------------------


def test_a_first_revision_waits_for_its_lookup_and_says_so() -> None:
    world = World()
    world.cluster.store.content[URI] = OLD
    world.apply(spec())
    assert world.reconcile() == timedelta(seconds=1)
    assert truth(world) == ("False", "True", "False")
    assert world.condition("Reconciling")["reason"] == contract.REASON_RESOLVING_MODEL
    assert URI in world.condition("Reconciling")["message"]
    assert world.status()["phase"] == "Initializing"
    assert world.status()["observedGeneration"] == 1
    assert not world.cluster.list(CONTROLLER_REVISION, NAMESPACE)
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    assert pins(world) == {stable_of(world): {f"pin of {OLD}"}}
    model = world.status()["model"]
    assert (model["uri"], model["digest"]) == (URI, digest_of(OLD))
    assert model["resolvedAt"].startswith("2026-11-22T12:00:0")
    assert world.told.reasons().count(contract.REASON_MODEL_RESOLVED) == 1


def test_what_is_replaced_behind_the_uri_reaches_no_pod_of_the_revision() -> None:
    world = serving()
    world.cluster.store.content[URI] = NEW
    world.apply({**spec(), "spec": {**spec()["spec"], "replicas": 5}})
    for pod in world.cluster.list(POD, NAMESPACE, {contract.LABEL_REVISION: stable_of(world)}):
        world.cluster.remove(POD, NAMESPACE, pod["metadata"]["name"])
    world.cluster.remove(JOB, NAMESPACE, world.cluster.list(JOB, NAMESPACE)[0]["metadata"]["name"])
    world.restart()
    world.run(100)
    assert not world.cluster.list(JOB, NAMESPACE)
    assert pins(world) == {stable_of(world): {f"pin of {OLD}"}}
    assert len(world.pods_of(stable_of(world))) == 5
    assert world.cluster.store.lookups == [URI]
    assert world.status()["model"]["digest"] == digest_of(OLD)


def test_another_image_has_the_artifact_as_it_is_when_its_rollout_starts() -> None:
    world = serving()
    first = stable_of(world)
    world.cluster.store.content[URI] = NEW
    world.apply(spec(image="server:2"))
    world.run_until(lambda w: w.status().get("canary", {}).get("state") == "Analysing")
    assert pins(world) == {first: {f"pin of {OLD}"}, world.status()["canary"]["revision"]: {f"pin of {NEW}"}}
    world.run_until(lambda w: stable_of(w) != first and not w.status().get("retiring"))
    assert world.status()["model"]["digest"] == digest_of(NEW)
    # Back to what was stored: its own artifact, without another lookup.
    lookups = len(world.cluster.store.lookups)
    world.apply(spec())
    world.run_until(lambda w: w.status().get("canary", {}).get("state") == "Analysing")
    assert pins(world)[first] == {f"pin of {OLD}"}
    assert len(world.cluster.store.lookups) == lookups


def test_an_answer_that_nobody_used_is_not_taken_for_what_stands_there_minutes_later() -> None:
    world = serving()
    world.apply(spec(image="server:2"))
    world.reconcile()
    world.cluster.settle()
    world.cluster.settle()
    world.apply(spec(image="server:3"))
    world.run_until(lambda w: stable_of(w) and not w.status().get("canary") and w.selected() == stable_of(w), limit=300)
    world.run(90)
    world.cluster.store.content[URI] = NEW
    world.apply(spec(image="server:2"))
    world.run_until(lambda w: w.status().get("canary", {}).get("state") == "Analysing")
    assert pins(world)[world.status()["canary"]["revision"]] == {f"pin of {NEW}"}


def test_while_a_newer_artifact_is_looked_up_the_canary_goes_on_being_judged() -> None:
    world = serving()
    first = stable_of(world)
    world.apply(spec(image="server:2"))
    world.run_until(lambda w: w.status().get("canary", {}).get("state") == "Analysing")
    second = world.status()["canary"]["revision"]
    world.cluster.store.slow.add("s3://models/other")
    world.apply(spec("s3://models/other", image="server:2"))
    world.run(2)
    assert world.status()["canary"]["revision"] == second
    assert truth(world) == ("False", "True", "False")
    assert world.condition("Ready")["reason"] == contract.REASON_RESOLVING_MODEL
    world.error_share[second] = 0.5
    world.run_until(lambda w: w.status().get("rejected"))
    assert world.selected() == first
    assert truth(world) == ("False", "True", "False")
    world.cluster.store.slow.clear()
    world.cluster.store.content["s3://models/other"] = NEW
    world.run_until(has_canary)
    assert world.status()["canary"]["revision"] not in {first, second}


def test_status_that_was_lost_is_read_back_while_a_lookup_runs() -> None:
    world = serving()
    first = stable_of(world)
    world.cluster.store.slow.add("s3://models/other")
    world.apply(spec("s3://models/other"))
    body = world.body()
    body["status"] = {}
    world.cluster.put(body)
    world.run(3)
    assert stable_of(world) == first
    assert world.condition("Available")["status"] == "True"
    assert world.selected() == first


def test_a_digest_that_is_given_needs_no_lookup_and_is_verified_by_every_fetch() -> None:
    world = World()
    world.apply(spec(digest=digest_of(OLD)))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    assert pins(world) == {stable_of(world): {digest_of(OLD)}}
    assert not world.cluster.list(JOB, NAMESPACE)
    assert world.status()["model"] == {"uri": URI, "digest": digest_of(OLD)}


def test_a_claim_is_mounted_and_nothing_is_fetched() -> None:
    world = World()
    world.apply(spec("pvc://weights/fraud"))
    world.run_until(lambda w: w.condition("Ready").get("status") == "True")
    pod = world.cluster.list(POD, NAMESPACE)[0]
    assert "initContainers" not in pod["spec"]
    assert world.status()["model"] == {"uri": "pvc://weights/fraud"}


# --- what cannot be had -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "words"), [(None, "NotFound"), ((2, "Forbidden"), "Forbidden"), ((1, "Unreachable"), "Unreachable")]
)
def test_a_lookup_that_fails_stalls_with_the_cause_and_heals_by_itself(failure: Any, words: str) -> None:
    world = serving()
    first, store = stable_of(world), world.cluster.store
    if failure:
        store.failures["gs://models/new"] = failure
    world.apply(spec("gs://models/new"))
    world.run_until(lambda w: w.condition("Stalled")["status"] == "True")
    assert world.condition("Stalled")["reason"] == contract.REASON_MODEL_UNRESOLVED
    assert words in world.condition("Stalled")["message"]
    assert world.selected() == first
    assert (world.reconcile() or timedelta.max) <= timedelta(seconds=2), "nobody tells when the store is mended"
    since = world.condition("Stalled")["lastTransitionTime"]
    world.run(300)
    assert world.condition("Stalled")["lastTransitionTime"] == since, "nothing flaps while it is tried again"
    assert world.told.reasons().count(contract.REASON_MODEL_UNRESOLVED) == 1
    tries = store.lookups.count("gs://models/new")
    assert 4 <= tries <= 6
    store.failures.clear()
    store.content["gs://models/new"] = NEW
    took = world.run_until(lambda w: stable_of(w) != first)
    assert took < 200


def test_credentials_that_are_missing_stall_and_a_person_only_has_to_create_them() -> None:
    world = World()
    world.cluster.store.content[URI] = OLD
    world.apply(spec(secretRef={"name": "store"}))
    world.run_until(lambda w: w.condition("Stalled").get("status") == "True")
    message = world.condition("Stalled")["message"]
    assert 'secret "store" not found' in message
    job = world.cluster.list(JOB, NAMESPACE)[0]["metadata"]["uid"]
    world.run(300)
    assert world.cluster.list(JOB, NAMESPACE)[0]["metadata"]["uid"] != job, "before its deadline it was begun anew"
    assert world.condition("Stalled")["message"] == message
    assert world.told.reasons().count(contract.REASON_MODEL_UNRESOLVED) == 1
    world.cluster.store.secrets.add("store")
    took = world.run_until(lambda w: w.condition("Ready")["status"] == "True")
    assert took < 15
    secrets = [
        (container["name"], container.get("envFrom"))
        for pod in world.cluster.list(POD, NAMESPACE, {contract.LABEL_REVISION: stable_of(world)})
        for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"])
    ]
    assert set(map(str, secrets)) == {
        str((CONTAINER, [{"secretRef": {"name": "store"}}])),
        str(("model", None)),
    }


@pytest.mark.parametrize("model", [{}, {"digest": digest_of(OLD)}])
def test_without_an_image_that_fetches_it_stalls_before_anything_starts(model: Any) -> None:
    world = World()
    world.fetching = type(world.fetching)()
    world.restart()
    world.apply(spec(**model))
    world.run(2)
    assert world.condition("Stalled")["reason"] == contract.REASON_FETCH_IMAGE_MISSING
    assert not world.cluster.list(JOB, NAMESPACE)


def test_a_job_that_the_server_refuses_stalls_with_its_sentence() -> None:
    world = World()
    world.cluster.refuse = lambda verb, obj: "exceeded quota: jobs" if obj["kind"] == "Job" else None
    world.apply(spec())
    world.run(2)
    assert "exceeded quota: jobs" in world.condition("Stalled")["message"]


def test_somebody_elses_job_of_that_name_is_left_alone() -> None:
    world = World()
    world.cluster.store.slow.add(URI)
    world.apply(spec())
    world.run(1)
    job = world.cluster.list(JOB, NAMESPACE)[0]
    job["metadata"]["ownerReferences"] = [{"kind": "CronJob", "name": "x", "uid": "other", "controller": True}]
    job["metadata"]["labels"] = {}
    world.cluster.put(job)
    world.run(1)
    assert world.condition("Stalled")["reason"] == contract.REASON_NAME_TAKEN


def test_a_canary_whose_fetch_fails_is_rolled_back_with_the_cause() -> None:
    world = serving()
    first = stable_of(world)
    world.apply(spec(digest=digest_of(NEW)))
    world.reconcile()
    second = world.status()["canary"]["revision"]
    world.fail(second, Fault.FETCH_FAILED)
    world.run_until(lambda w: w.status().get("rejected"), limit=5)
    rejected = world.status()["rejected"][0]
    assert rejected["reason"] == contract.REASON_MODEL_FETCH_FAILED
    assert "DigestMismatch" in rejected["message"]
    assert world.selected() == first


def test_a_fetch_that_the_deadline_cuts_off_gives_its_own_cause() -> None:
    world = serving()
    body = spec(digest=digest_of(NEW))
    body["spec"]["rollout"] = {**QUICK, "progressDeadline": "40s"}
    world.apply(body)
    world.reconcile()
    world.fail(world.status()["canary"]["revision"], Fault.STORE_DOWN)
    world.run_until(lambda w: w.status().get("rejected"), limit=60)
    rejected = world.status()["rejected"][0]
    assert rejected["reason"] == contract.REASON_PROGRESS_DEADLINE
    assert "Unreachable: no answer from store:9000; look at" in rejected["message"]


def test_a_first_revision_whose_fetch_fails_says_so() -> None:
    world = World()
    world.apply(spec(digest=digest_of(NEW)))
    world.reconcile()
    world.fail(stable_of(world), Fault.FETCH_FAILED)
    world.run(2)
    assert world.condition("Ready")["reason"] == contract.REASON_MODEL_FETCH_FAILED
    assert "rejected" not in world.status()


def test_a_stable_pod_that_cannot_fetch_says_why_and_changes_nothing_else() -> None:
    world = serving()
    first = stable_of(world)
    world.fail(first, Fault.FETCH_FAILED)
    world.run(20)
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", contract.REASON_MODEL_FETCH_FAILED)
    assert "DigestMismatch" in ready["message"]
    assert world.condition("Stalled")["status"] == "False"
    assert stable_of(world) == first
    assert "rejected" not in world.status()
    assert (world.reconcile() or timedelta.max) <= timedelta(seconds=15)
    world.fail(first, Fault.READY)
    world.run(3)
    assert truth(world) == ("True", "False", "False")
    assert world.reconcile() is None


# --- followed -----------------------------------------------------------------------------------------------------


def test_a_new_artifact_behind_a_tracked_uri_starts_a_rollout_and_is_promoted() -> None:
    world = serving(track=True)
    first = stable_of(world)
    world.run(30)
    assert stable_of(world) == first
    assert not world.reports()
    assert len(world.cluster.store.lookups) == 2
    world.cluster.store.content[URI] = NEW
    world.run_until(has_canary)
    second = world.status()["canary"]["revision"]
    assert second != first
    assert world.status()["model"]["digest"] == digest_of(NEW)
    world.run_until(lambda w: stable_of(w) == second)
    assert pins(world)[second] == {f"pin of {NEW}"}
    assert world.reports()[0]["spec"]["model"] == {
        "uri": URI,
        "digest": digest_of(NEW),
        "resolvedAt": world.reports()[0]["spec"]["model"]["resolvedAt"],
    }


def test_a_rejected_artifact_is_not_tried_again_and_the_next_one_is() -> None:
    world = serving(track=True)
    first = stable_of(world)
    world.cluster.store.content[URI] = NEW
    world.run_until(has_canary)
    second = world.status()["canary"]["revision"]
    world.fail(second, Fault.CRASH_LOOP)
    world.run_until(lambda w: w.status().get("rejected"))
    world.run(60)
    assert len(world.reports()) == 1
    assert truth(world) == ("False", "False", "True")
    world.cluster.store.content[URI] = "third weights"
    world.run_until(has_canary)
    assert world.status()["canary"]["revision"] not in {first, second}


def test_status_that_was_lost_leads_to_the_same_revision() -> None:
    world = serving(track=True)
    first = stable_of(world)
    body = world.body()
    body["status"] = {}
    world.cluster.put(body)
    world.run(20)
    assert stable_of(world) == first
    assert not world.reports()
    assert truth(world) == ("True", "False", "False")
    assert world.status()["model"]["digest"] == digest_of(OLD)


@pytest.mark.parametrize("with_canary", [False, True])
def test_a_store_that_is_down_takes_nothing_back_from_a_tracked_model(with_canary: bool) -> None:
    world = serving(track=True)
    first = stable_of(world)
    if with_canary:
        world.cluster.store.content[URI] = NEW
        world.run_until(has_canary)
        world.apply({**spec(track=True), "metadata": world.body()["metadata"]})
        world.annotate("fraud", "pause", f"{world.status()['canary']['revision']}/1")
    expected = world.status().get("canary", {}).get("revision")
    world.cluster.store.failures[URI] = (1, "Unreachable")
    world.run(100)
    assert world.status().get("canary", {}).get("revision") == expected
    assert stable_of(world) == first
    assert world.condition("Stalled")["status"] == "False"
    assert "Unreachable" in world.status()["model"]["message"]
    assert "Unreachable" in world.condition("Ready")["message"]
    assert world.told.reasons().count(contract.REASON_MODEL_UNRESOLVED) == 1
    assert world.condition("Ready")["status"] == ("False" if with_canary else "True")
    world.cluster.store.failures.clear()
    world.run(125)
    assert "message" not in world.status()["model"]
    assert "Unreachable" not in world.condition("Ready")["message"]


def test_a_lookup_that_gave_its_answer_and_did_not_end_is_no_failure() -> None:
    world = serving(track=True)
    job = world.cluster.list(JOB, NAMESPACE)[0]
    pod = world.cluster.list(POD, NAMESPACE, {contract.LABEL_LOOKUP: job["metadata"]["name"]})[0]
    world.cluster.remove(POD, NAMESPACE, pod["metadata"]["name"])
    world.cluster.put({**job, "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "Deadline"}]}})
    world.run(60)
    assert contract.REASON_MODEL_UNRESOLVED not in world.told.reasons()
    assert len(world.cluster.store.lookups) == 3


def test_a_tracked_model_writes_once_an_interval_and_nothing_more() -> None:
    world = serving(track=True)
    world.run(15)
    world.cluster.writes.clear()
    world.run(60)
    kinds = [(each.verb, each.kind) for each in world.cluster.writes]
    assert kinds.count(("patch_status", "ModelDeployment")) == 3
    assert kinds.count(("create", "Job")) == 3
    assert len([each for each in kinds if each[1] not in {"ModelDeployment", "Job"}]) == 0


def test_a_canary_is_superseded_by_a_newer_artifact() -> None:
    world = serving(track=True)
    world.cluster.store.content[URI] = NEW
    world.run_until(has_canary)
    second = world.status()["canary"]["revision"]
    world.annotate("fraud", "pause", f"{second}/1")
    world.cluster.store.content[URI] = "third weights"
    world.run_until(lambda w: w.status().get("canary", {}).get("revision") != second)
    assert world.status()["canary"]["step"] == 0


# --- cut short ----------------------------------------------------------------------------------------------------


WRITES_UNTIL_ITS_PODS = 8


class Killed(BaseException):
    """The process is gone: nothing of it may catch this."""


def follow(*, crash_at: int | None, after: bool, track: bool) -> World:
    """Roll a new artifact out; the operator dies at its n-th write."""
    world = serving(track=track)
    first = stable_of(world)
    world.cluster.store.content[URI] = NEW
    world.cluster.writes.clear()
    if not track:
        world.apply(spec(image="server:2"))
    if crash_at is not None:
        world.cluster.fail_at(crash_at, Killed(), after=after)
    rest = 3
    for _ in range(300):
        rest -= 1 if stable_of(world) != first and not world.status().get("retiring") else 0
        if not rest:
            return world
        try:
            world.step()
        except Killed:
            world.restart()
    raise AssertionError(f"never promoted: {world.status()}")


def end_of(world: World) -> tuple[Any, ...]:
    return (
        stable_of(world),
        pins(world),
        world.status()["model"]["digest"],
        [(each["spec"]["revision"], each["status"]["outcome"]["result"]) for each in world.reports()],
    )


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("track", [False, True])
def test_a_crash_at_any_write_leads_to_the_same_end(track: bool, after: bool) -> None:
    undisturbed = follow(crash_at=None, after=False, track=track)
    begun = [each.kind for each in undisturbed.cluster.writes if not each.dry_run][:WRITES_UNTIL_ITS_PODS]
    assert {"Job", "ModelDeployment", "RolloutReport", "ControllerRevision", "Deployment"} <= set(begun)
    expected = end_of(undisturbed)
    assert expected[1][expected[0]] == {f"pin of {NEW}"}
    for number in range(1, WRITES_UNTIL_ITS_PODS + 1):
        assert end_of(follow(crash_at=number, after=after, track=track)) == expected, f"crash at write {number}"


def test_a_model_deployment_that_goes_takes_its_lookup_along() -> None:
    world = World()
    world.cluster.store.slow.add(URI)
    world.apply(spec())
    world.run(2)
    assert world.cluster.list(JOB, NAMESPACE)
    world.cluster.remove(MODEL_DEPLOYMENT, NAMESPACE, "fraud")
    assert not world.cluster.list(JOB, NAMESPACE)
    assert not world.cluster.list(POD, NAMESPACE)
