"""What the papers and the example say is what the code does."""

import ast
import json
import re
import sys
import tomllib
from pathlib import Path

import yaml

from serinus.signals.presets import preset
from serinus_instrument import Limits, names
from serinus_instrument.cells import MOST_CATEGORIES
from serinus_instrument.command import CATEGORIES, main
from serinus_instrument.outcomes import MOST_OUTCOMES
from serinus_instrument.revisions import MOST_REVISIONS
from serinus_instrument.values import LONGEST_NAME, LONGEST_VALUE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "instrument.md").read_text()
SOURCE = ROOT / "instrument" / "serinus_instrument"
EXAMPLE = ROOT / "examples" / "instrument"


def test_the_table_of_names_is_the_code():
    rows = re.findall(r"^\| `(serinus_\w+)` \| (.+?) \| (.+?) \| (.*?) \|$", PAGE, re.MULTILINE)
    told = [(name, tuple(re.findall(r"`(\w+)`", labels)), means, feeds) for name, labels, means, feeds in rows]
    assert told == [(each.exported, each.labels, each.means, each.feeds) for each in names.METRICS]


def test_the_numbers_on_the_page_are_those_of_the_code():
    limits = Limits()
    numbers = {
        limits.features, limits.outputs, limits.groups, LONGEST_NAME, LONGEST_VALUE, MOST_CATEGORIES - 1,
        CATEGORIES, MOST_REVISIONS,
    }  # fmt: skip
    for each in numbers:
        assert re.search(rf"\b{each}\b", PAGE)
    assert f"{MOST_OUTCOMES:,}" in PAGE


def test_each_kind_of_signal_that_the_table_names_is_in_the_preset():
    known = preset("instrument")
    read = {
        "Implausible": known.implausible, "Accuracy": known.accuracy,
        "PredictionDrift": known.predictions, "FeatureDrift": known.features,
    }  # fmt: skip
    assert {each.feeds for each in names.METRICS} - {""} == {kind for kind, found in read.items() if found}


def test_it_imports_numpy_and_prometheus_client_alone():
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names_ = (
                [each.name for each in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for each in names_:
                found.setdefault(each.split(".")[0], set()).add(path.name)
    others = {name: where for name, where in found.items() if name not in sys.stdlib_module_names}
    own = others.pop("serinus_instrument")
    assert own
    assert others.keys() >= {"numpy", "prometheus_client"}
    # An adapter may import the framework that it is for.
    assert {name: where for name, where in others.items() if name not in ("numpy", "prometheus_client")} == {
        "mlserver": {"mlserver.py"},
        "kserve": {"kserve.py"},
    }
    project = tomllib.loads((ROOT / "instrument" / "pyproject.toml").read_text())["project"]
    assert sorted(re.split("[<>=]", each)[0] for each in project["dependencies"]) == ["numpy", "prometheus-client"]


def test_the_examples_profile_comes_from_its_training_data(tmp_path):
    target = tmp_path / "profile.json"
    assert main(["profile", str(EXAMPLE / "train.csv"), "--prediction", "score", "-o", str(target)]) == 0
    assert target.read_text() == (EXAMPLE / "serinus-profile.json").read_text()


def test_the_examples_config_map_holds_that_profile():
    config_map, _ = yaml.safe_load_all((EXAMPLE / "model-deployment.yaml").read_text())
    held = json.loads(config_map["data"]["profile.json"])
    assert held == json.loads((EXAMPLE / "serinus-profile.json").read_text())
