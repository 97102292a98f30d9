"""docs/artifacts.md and its example say what the program does."""

import re
from pathlib import Path

import pytest
import yaml

from serinus.api.parse import make_desired
from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.uri import parse_uri

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "artifacts.md").read_text()


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_stands_there_with_whether_it_is_asked_again(reason):
    asked_again = FetchFailed(reason, "").exit_code == 1
    row = re.search(rf"^\| `{reason.value}` \|.*\| (yes|no) \|$", PAGE, re.MULTILINE)
    assert row is not None
    assert row[1] == ("yes" if asked_again else "no")


# The first column of the table of stores.
URIS = [
    uri
    for row in re.findall(r"^\| (`[a-z0-9]+:/+[a-z].*?) \|", PAGE, re.MULTILINE)
    for uri in re.findall(r"`(.+?)`", row)
    if not uri.startswith("…")
]


@pytest.mark.parametrize("uri", URIS)
def test_each_uri_of_the_table_is_understood(uri):
    written = uri.replace("version", "1").replace("repository", "team/fraud").replace("sha256:…", f"sha256:{'0' * 64}")
    if uri.startswith("pvc"):
        with pytest.raises(FetchFailed, match="mounted"):
            parse_uri(written)
    else:
        parse_uri(written)


def test_the_example_is_a_model_that_can_be_fetched():
    secret, shown = yaml.safe_load_all((ROOT / "examples" / "artifacts.yaml").read_text())
    model = shown["spec"]["model"]
    parse_uri(model["uri"])
    assert model["secretRef"]["name"] == secret["metadata"]["name"]
    shown["metadata"] |= {"namespace": "risk", "uid": "0", "generation": 1}
    assert make_desired(shown, "x7mn2pqr5s", {}).plan.steps
