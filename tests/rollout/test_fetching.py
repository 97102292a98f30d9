"""A model's files on their way into a pod: mounted, or fetched by a container that nothing else can see."""

from datetime import UTC, datetime
from typing import Any

import pytest

from serinus import contract
from serinus.errors import InvalidSpec, Stall
from serinus.rollout.artifact import Artifact, Resolved
from serinus.rollout.fetching import CONTAINER, VOLUME, Delivery, FetchImage
from serinus.rollout.template import Runtime, render_template

GENERIC = Runtime(name="generic", port=8080, metrics_port=None, metrics_path="/metrics", readiness_path=None)
IMAGE = FetchImage(name="serinus:1")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64


def render(uri: str, *, pin: str | None = None, image: FetchImage | None = IMAGE, **given: Any) -> dict[str, Any]:
    keys = {"digest", "mount_path", "secret"}
    resolved = Resolved(digest=DIGEST, pin=pin, at=NOW) if pin is not None else None
    artifact = Artifact(uri=uri, **{key: value for key, value in given.items() if key in keys})
    pod = {key: value for key, value in given.items() if key not in keys}
    template = {"spec": {"containers": [{"name": "model", "image": "i"}, {"name": "side", "image": "j"}], **pod}}
    rendered = render_template(
        template,
        name="fraud",
        revision="x7mn2pqr5s",
        runtime=GENERIC,
        delivery=Delivery(artifact=artifact, resolved=resolved, image=image),
    )
    spec: dict[str, Any] = rendered["spec"]
    return spec


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({"pin": "etag 1"}, ["--pin", "etag 1"]),
        ({"digest": DIGEST}, ["--digest", DIGEST]),
        ({"pin": "p", "mount_path": "/srv/m"}, ["--pin", "p"]),
    ],
)
def test_what_is_fetched_is_exactly_what_was_found_or_asked_for(given: dict[str, Any], arguments: list[str]) -> None:
    pod = render("s3://models/fraud/7", **given)
    path = given.get("mount_path", "/mnt/models")
    fetch = pod["initContainers"][0]
    assert (fetch["name"], fetch["image"]) == (CONTAINER, "serinus:1")
    assert fetch["args"] == ["--uri", "s3://models/fraud/7", "--to", path, *arguments]
    assert fetch["volumeMounts"][0] == {"name": VOLUME, "mountPath": path}
    assert pod["containers"][0]["volumeMounts"] == [{"name": VOLUME, "mountPath": path, "readOnly": True}]
    assert "volumeMounts" not in pod["containers"][1]
    assert {"name": VOLUME, "emptyDir": {}} in pod["volumes"]


def test_the_fetch_comes_before_the_users_own_init_containers_and_their_volumes_stay() -> None:
    pod = render("s3://m", initContainers=[{"name": "own", "image": "i"}], volumes=[{"name": "own", "emptyDir": {}}])
    assert [each["name"] for each in pod["initContainers"]] == [CONTAINER, "own"]
    assert pod["volumes"][0] == {"name": "own", "emptyDir": {}}
    assert len({each["name"] for each in pod["volumes"]}) == 3


def test_credentials_reach_the_fetch_container_and_no_other() -> None:
    pod = render("s3://m", secret="store")
    assert pod["initContainers"][0]["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert "store" not in str(pod["containers"])
    assert "envFrom" not in render("s3://m")["initContainers"][0]


@pytest.mark.parametrize(
    ("security", "user", "not_root"),
    [
        (None, 65532, True),
        ({"fsGroup": 7}, 65532, True),
        ({"runAsNonRoot": True}, 65532, True),
        ({"runAsUser": 1000}, None, True),
        ({"runAsUser": 0}, None, None),
    ],
)
def test_the_fetch_has_no_privilege_and_the_user_of_the_pod_if_that_names_one(
    security: Any, user: int | None, not_root: bool | None
) -> None:
    context = render("s3://m", **({"securityContext": security} if security else {}))["initContainers"][0][
        "securityContext"
    ]
    assert (context.get("runAsUser"), context.get("runAsNonRoot")) == (user, not_root)
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}


EXACT = {"requests": {"cpu": "2", "memory": "8Gi"}, "limits": {"cpu": "2", "memory": "8Gi"}}
OF_THE_SERVER = {"name": "model", "image": "i", "resources": {**EXACT, "limits": {**EXACT["limits"], "gpu/x": "1"}}}
UNTOLD = {"limits": {"cpu": "100m", "memory": "64Mi"}}


def with_resources(*others: Any, **pod: Any) -> dict[str, Any]:
    containers = [OF_THE_SERVER, *({"name": f"c{i}", "image": "j", "resources": each} for i, each in enumerate(others))]
    resources: dict[str, Any] = render("s3://m", containers=containers, **pod)["initContainers"][0]["resources"]
    return resources


@pytest.mark.parametrize("others", [(), (UNTOLD,), (EXACT, UNTOLD)])
def test_a_guaranteed_pod_stays_one(others: Any) -> None:
    assert with_resources(*others) == EXACT


@pytest.mark.parametrize(
    "other",
    [None, {}, {"limits": {"cpu": "1"}}, {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": EXACT["limits"]}],
)
def test_elsewhere_the_fetch_has_its_own_share_and_no_limit_of_cpu(other: Any) -> None:
    own = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
    assert with_resources(other) == own
    assert with_resources(initContainers=[{"name": "i", "image": "i", "resources": other}]) == own


def test_the_settings_say_how_much_the_fetch_may_use() -> None:
    image = FetchImage(name="serinus:1", resources={"limits": {"memory": "2Gi"}})
    assert render("s3://m", image=image)["initContainers"][0]["resources"] == {"limits": {"memory": "2Gi"}}


def test_a_volume_of_the_users_at_the_path_is_filled_instead_of_ours() -> None:
    containers = [{"name": "model", "image": "i", "volumeMounts": [{"name": "big", "mountPath": "/mnt/models/"}]}]
    pod = render("s3://m", containers=containers, volumes=[{"name": "big", "emptyDir": {"sizeLimit": "90Gi"}}])
    assert pod["initContainers"][0]["volumeMounts"][0] == {"name": "big", "mountPath": "/mnt/models/"}
    assert pod["containers"][0]["volumeMounts"] == [{"name": "big", "mountPath": "/mnt/models/"}]
    assert VOLUME not in {each["name"] for each in pod["volumes"]}


def test_a_volume_that_outlives_the_pod_is_refused_at_the_path() -> None:
    containers = [{"name": "model", "image": "i", "volumeMounts": [{"name": "shared", "mountPath": "/mnt/models"}]}]
    with pytest.raises(InvalidSpec, match="overwrite each other"):
        render("s3://m", containers=containers, volumes=[{"name": "shared", "hostPath": {"path": "/m"}}])


@pytest.mark.parametrize(("uri", "inside"), [("pvc://weights", None), ("pvc://weights/fraud/7/", "fraud/7")])
def test_a_claim_is_mounted_read_only_and_nothing_is_fetched(uri: str, inside: str | None) -> None:
    pod = render(uri, image=None)
    assert "initContainers" not in pod
    assert pod["volumes"] == [{"name": VOLUME, "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}}]
    mount = pod["containers"][0]["volumeMounts"][0]
    assert (mount["mountPath"], mount["readOnly"], mount.get("subPath")) == ("/mnt/models", True, inside)


def test_without_an_image_that_fetches_a_person_is_told_what_to_set() -> None:
    with pytest.raises(Stall, match="SERINUS_FETCH_IMAGE") as stall:
        render("s3://m", image=None)
    assert stall.value.reason == contract.REASON_FETCH_IMAGE_MISSING


def test_the_server_knows_its_revision_and_model_unless_the_user_says_another() -> None:
    own = {"name": "SERINUS_REVISION", "value": "mine"}
    assert render("s3://m")["containers"][0]["env"] == [
        {
            "name": "SERINUS_REVISION",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['serinus.dev/revision']"}},
        },
        {"name": "SERINUS_MODEL", "value": "fraud"},
    ]
    pod = render("s3://m", containers=[{"name": "model", "image": "i", "env": [own]}])
    assert pod["containers"][0]["env"] == [own, {"name": "SERINUS_MODEL", "value": "fraud"}]
