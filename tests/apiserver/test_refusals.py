"""What cannot work is refused at `kubectl apply`, with a sentence that says what to do."""

import pytest

from api.specs import BAD, BAD_NAMES, GOOD, RESERVED, body
from apiserver.conftest import ApiServer

pytestmark = pytest.mark.api

MODELS = "/apis/serinus.dev/v1alpha1/namespaces/{}/modeldeployments"


def _manifest(namespace: str, **given: object) -> dict[str, object]:
    manifest = body(**given)  # type: ignore[arg-type]
    manifest["metadata"] = {"name": manifest["metadata"]["name"], "namespace": namespace}
    return manifest


@pytest.mark.parametrize("case", BAD)
def test_a_bad_spec_is_refused_with_its_sentence(server: ApiServer, namespace: str, case: str) -> None:
    answer = server.create(MODELS.format(namespace), _manifest(namespace, spec=BAD[case].spec))
    assert answer.code in {400, 422}, answer.body
    assert BAD[case].says in answer.message
    assert "no such overload" not in answer.message


@pytest.mark.parametrize("case", BAD_NAMES)
def test_a_bad_name_is_refused(server: ApiServer, namespace: str, case: str) -> None:
    answer = server.create(MODELS.format(namespace), _manifest(namespace, name=BAD_NAMES[case]))
    assert answer.code == 422, answer.body
    assert "metadata.name: a name has at most 45 characters" in answer.message


@pytest.mark.parametrize("case", GOOD)
def test_a_good_spec_is_taken(server: ApiServer, namespace: str, case: str) -> None:
    answer = server.create(MODELS.format(namespace), _manifest(namespace, spec=GOOD[case]))
    assert answer.code == 201, answer.message


@pytest.mark.parametrize("case", RESERVED)
def test_a_reserved_field_is_in_the_schema(server: ApiServer, namespace: str, case: str) -> None:
    spec, _ = RESERVED[case]
    answer = server.create(MODELS.format(namespace), _manifest(namespace, spec=spec))
    assert answer.code == 201, answer.message
    assert answer.body["spec"].items() >= {key: spec[key] for key in spec if key != "traffic"}.items()
