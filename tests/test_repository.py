"""The frame of the repository: what files may hold, what is pinned, which laws are checked, which papers are true."""

import ast
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

import run
from serinus import contract
from serinus.api.parse import make_desired
from serinus.api.quantities import format_duration
from serinus.controller.telemetry import Telemetry
from serinus.rollout import steps
from serinus.rollout.types import Desired
from serinus.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "operator" / "serinus"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Hosts of public package indexes and homes of one machine, spelt in pieces because this file is searched, too.
INDEX_HOSTS = [
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("registry", "npmjs", "org"),
    )
]
MACHINE_PATHS = [f"/{home}/" for home in ("work", "root", "farm")]


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """Return the text of a file, nothing for a binary one."""
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode()


def index_hosts_of_this_machine() -> list[str]:
    """Return the hosts that this machine's own package tools are set to."""
    configured = " ".join(
        os.environ.get(name, "") for name in ("GOPROXY", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
    )
    return re.findall(r"https?://(?:[^/@,| ]*@)?([^/:,| ]+)", configured)


class TestFiles:
    def test_none_names_a_package_index_or_a_path_of_one_machine(self):
        words = [*INDEX_HOSTS, *index_hosts_of_this_machine(), *MACHINE_PATHS]
        found = [(path.relative_to(ROOT), word) for path in tracked_files() for word in words if word in text_of(path)]
        assert not found

    def test_the_source_root_is_no_package(self):
        # operator/__init__.py would shadow the standard library's module `operator`.
        assert not (ROOT / "operator" / "__init__.py").exists()

    def test_no_lock_file_records_addresses(self):
        assert not [path for path in tracked_files() if path.name in {"uv.lock", "package-lock.json", "poetry.lock"}]

    def test_no_large_file_is_tracked(self):
        assert not [path for path in tracked_files() if path.stat().st_size > 1024 * 1024]


def name_of(requirement: str) -> str:
    """Return the normalised project name at the start of a requirement."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


RUNTIME = [name_of(each) for each in PROJECT["project"]["dependencies"]]
FETCH = [name_of(each) for each in PROJECT["project"]["optional-dependencies"]["fetch"]]
DEVELOPMENT = [name_of(each) for each in PROJECT["dependency-groups"]["dev"]]


def pins(path: Path) -> dict[str, str]:
    """Return what a constraint file pins: project name to the text of its entry."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", path.read_text())
    return {name_of(entry): entry for entry in entries if entry.strip()}


class TestPins:
    @pytest.mark.parametrize("path", sorted((ROOT / "constraints").glob("*.txt")), ids=lambda path: path.name)
    def test_each_has_a_version_and_hashes_and_no_address(self, path):
        for name, entry in pins(path).items():
            assert "==" in entry.splitlines()[0], name
            assert "--hash=sha256:" in entry, name
        assert "://" not in path.read_text()
        assert "index" not in {
            word.lstrip("-").split("-")[0] for word in path.read_text().split() if word.startswith("--")
        }

    def test_runtime_pins_what_the_package_asks_for(self):
        assert set(RUNTIME) <= pins(ROOT / "constraints" / "runtime.txt").keys()

    def test_dev_pins_the_runtime_at_the_same_versions_and_the_tools(self):
        runtime, dev = pins(ROOT / "constraints" / "runtime.txt"), pins(ROOT / "constraints" / "dev.txt")
        assert set(DEVELOPMENT) <= dev.keys()
        differ = [name for name, entry in runtime.items() if entry.splitlines()[0] != dev[name].splitlines()[0]]
        assert not differ

    def test_fetch_pins_the_runtime_at_the_same_versions_and_the_clients_of_stores(self):
        runtime, fetch = pins(ROOT / "constraints" / "runtime.txt"), pins(ROOT / "constraints" / "fetch.txt")
        assert set(FETCH) <= fetch.keys()
        differ = [name for name, entry in runtime.items() if entry.splitlines()[0] != fetch[name].splitlines()[0]]
        assert not differ

    def test_each_dependency_earns_its_place_in_the_papers(self):
        rows = re.findall(r"^\| `([A-Za-z0-9._-]+)` \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
        assert sorted(name_of(row) for row in rows) == sorted(RUNTIME + FETCH + DEVELOPMENT)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a folder with a copy of the package, free to be broken."""
    root = tmp_path_factory.mktemp("law")
    shutil.copytree(PACKAGE, root / "operator" / "serinus", ignore=shutil.ignore_patterns("__pycache__"))
    return root


class TestImportLaw:
    """Each law fails when it is broken: one forbidden import in a copy of the package."""

    CULPRITS: ClassVar = {
        "layers": [
            ("rollout", "import serinus.judge"),
            ("stats", "from serinus.rollout import types"),
            ("signals", "from serinus import judge"),
            ("cluster", "import serinus.controller"),
            ("api", "import serinus.prometheus"),
        ],
        "pure": [
            ("rollout", "import time"),
            ("judge", "from random import random"),
            ("stats", "import logging"),
            ("signals", "import os"),
            ("api", "import asyncio"),
            ("rollout", "import kubernetes"),
        ],
        "validation-at-the-edge": [("rollout", "import pydantic")],
        "kopf": [("controller", "import kopf"), ("cluster", "import kopf")],
        "kubernetes": [("controller", "from kubernetes import client"), ("cli", "import kubernetes")],
        "prometheus": [("controller", "import requests"), ("cli", "import prometheus_api_client")],
        "stores": [("controller", "import obstore"), ("cli", "import huggingface_hub")],
    }

    def check(self, copy: Path, *laws: str) -> tuple[int, str]:
        tool = Path(sys.executable).with_name("lint-imports")
        chosen = [part for law in laws for part in ("--contract", law)]
        command = [tool, "--config", ROOT / "pyproject.toml", "--no-cache", "--no-logo", *chosen]
        environment = os.environ | {"PYTHONPATH": str(copy / "operator")}
        ran = subprocess.run(command, cwd=copy, env=environment, check=False, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def test_all_hold(self, copy):
        status, said = self.check(copy, *self.CULPRITS)
        assert status == 0, said
        assert f"{len(self.CULPRITS)} kept" in said

    @pytest.mark.parametrize("law", CULPRITS)
    def test_each_is_broken_by_each(self, copy, law):
        culprits = [
            (f"serinus.{module}.culprit{i}", line.split()[1], copy / "operator" / "serinus" / module / f"culprit{i}.py")
            for i, (module, line) in enumerate(self.CULPRITS[law])
        ]
        for (_, line), (_, _, path) in zip(self.CULPRITS[law], culprits, strict=True):
            path.write_text(line + "\n")
        try:
            status, said = self.check(copy, law)
        finally:
            for _, _, path in culprits:
                path.unlink()
        assert status == 1, said
        unseen = [(name, imported) for name, imported, _ in culprits if f"{name} -> {imported}" not in said]
        assert not unseen, said

    def test_a_part_without_a_place_breaks_the_layers(self, copy):
        unplaced = copy / "operator" / "serinus" / "unplaced"
        unplaced.mkdir()
        (unplaced / "__init__.py").write_text("import serinus.contract\n")
        try:
            status, said = self.check(copy, "layers")
        finally:
            shutil.rmtree(unplaced)
        assert status == 1, said
        assert "unplaced" in said

    @pytest.mark.parametrize("part", ["api", "judge", "rollout", "signals", "stats"])
    def test_pure_parts_read_no_clock_and_no_chance(self, part):
        """What import-linter cannot see: a clock behind datetime, chance behind numpy."""
        impure = {"now", "utcnow", "today", "default_rng", "rvs"}
        found = [
            f"{path.name}:{node.lineno} {node.func.attr}()"
            for path in (PACKAGE / part).rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in impure
        ]
        assert not found


class TestWholeRun:
    """Where `make test` runs the end-to-end tests, and what it says otherwise."""

    @pytest.mark.parametrize(
        ("environment", "platform", "user", "running", "start", "left_out"),
        [
            pytest.param({}, "linux", 0, False, True, "", id="root on Linux starts a cluster"),
            pytest.param({}, "linux", 0, True, False, "", id="a running cluster is used and stays"),
            pytest.param({}, "linux", 1000, True, False, "", id="a running cluster serves other users"),
            pytest.param({}, "linux", 1000, False, False, "needs root", id="no root, no cluster"),
            pytest.param({}, "darwin", 0, False, False, "needs Linux", id="no Linux, no cluster"),
            pytest.param({"CLUSTER": "current"}, "darwin", 501, False, False, "", id="the user's own cluster"),
            pytest.param(
                {"CLUSTER": "current"}, "linux", 0, False, False, "", id="nor is another one started beside it"
            ),
            pytest.param({"CLUSTER": "kind"}, "linux", 0, False, False, "CLUSTER=kind", id="a word that means nothing"),
        ],
    )
    def test_plan(self, environment, platform, user, running, start, left_out):
        plan = run.plan(environment=environment, platform=platform, user=user, running=running, whole=True)
        assert (plan.start, plan.stop, plan.try_teardown) == (start, start, start)
        assert left_out in plan.left_out
        assert bool(plan.left_out) is bool(left_out)
        assert plan.ask is ("CLUSTER" in environment and not left_out)

    def test_a_person_who_said_yes_is_not_asked(self):
        environment = {"CLUSTER": "current", "YES": "1"}
        assert not run.plan(environment=environment, platform="linux", user=0, running=False, whole=True).ask

    @pytest.mark.parametrize(
        ("environment", "whole", "stop", "try_teardown"),
        [
            pytest.param({}, True, True, True, id="a whole run ends with the tests of the end"),
            pytest.param({}, False, True, False, id="what was named runs, and nothing else"),
            pytest.param({"KEEP": "1"}, True, False, False, id="what is to be kept is not tried"),
            pytest.param({"KEEP": "0"}, True, True, True, id="only 1 keeps"),
        ],
    )
    def test_the_end_of_a_cluster_that_this_run_starts(self, environment, whole, stop, try_teardown):
        plan = run.plan(environment=environment, platform="linux", user=0, running=False, whole=whole)
        assert (plan.start, plan.stop, plan.try_teardown) == (True, stop, try_teardown)

    def test_the_tests_of_the_end_are_where_they_are_looked_for(self):
        assert "SERINUS_TEST_TEARDOWN" in (ROOT / run.TEARDOWN_TESTS).read_text()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux starts a cluster")
class TestClusterOfTheWholeRun:
    """Who takes down what: the whole run in a folder where the cluster is a program that takes notes."""

    NOTES = (
        "import pathlib, sys\n"
        "notes = pathlib.Path('notes')\n"
        "notes.write_text(notes.read_text() + sys.argv[1] + '\\n')\n"
        "print('noise of the cluster')\n"
        "if sys.argv[1] == 'down' and pathlib.Path('used-by-us').exists():\n"
        "    sys.exit('we stand on the branch that we saw')\n"
        "if sys.argv[1] == 'down' and pathlib.Path('used-by-others').exists():\n"
        "    sys.exit(3)\n"
        "sys.exit(pathlib.Path('broken').exists() and sys.argv[1] == 'up')\n"
    )
    ACCESS = (
        "import contextlib, pathlib\n"
        "IN_USE_STATUS = 3\n"
        "def is_up(): return pathlib.Path('running').exists()\n"
        "def built_binary(name): return None\n"
        "@contextlib.contextmanager\n"
        "def in_use():\n"
        "    us = pathlib.Path('used-by-us')\n"
        "    us.touch()\n"
        "    yield\n"
        "    us.unlink()\n"
    )
    TEST = "import pathlib\ndef test_it():\n    assert pathlib.Path('used-by-us').exists()\n"
    TEARDOWN_TEST = (
        "import os, pathlib, pytest\n"
        "@pytest.mark.skipif('SERINUS_TEST_TEARDOWN' not in os.environ, reason='not yet')\n"
        "def test_teardown():\n"
        "    assert not pathlib.Path('used-by-us').exists()\n"
        "    notes = pathlib.Path('notes')\n"
        "    notes.write_text(notes.read_text() + 'tried\\n')\n"
    )

    @pytest.fixture
    def folder(self, tmp_path):
        cluster = tmp_path / "tests" / "cluster"
        cluster.mkdir(parents=True)
        (cluster / "__init__.py").touch()
        (cluster / "__main__.py").write_text(self.NOTES)
        (cluster / "access.py").write_text(self.ACCESS)
        (tmp_path / "notes").touch()
        (tmp_path / "tests" / "test_it.py").write_text(self.TEST)
        (tmp_path / "tests" / "cluster_test").mkdir()
        (tmp_path / run.TEARDOWN_TESTS).write_text(self.TEARDOWN_TEST)
        (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\ntestpaths = ['tests']\n")
        shutil.copy(ROOT / "tests" / "run.py", tmp_path / "tests")
        return tmp_path

    def run(self, folder, *arguments, **variables) -> subprocess.CompletedProcess[str]:
        ours = {"CLUSTER", "KEEP", "YES", "SERINUS_TEST_TEARDOWN"}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        environment = kept | {"PYTHONPATH": "tests", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables
        command = [sys.executable, "tests/run.py", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)

    def test_it_goes_when_this_run_started_it_and_pytest_has_the_last_word(self, folder):
        ran = self.run(folder, "-v")
        assert ran.returncode == 0, ran.stderr
        assert (folder / "notes").read_text().split() == ["up", "down"]
        assert "1 passed, 1 skipped" in ran.stdout.splitlines()[-1]
        assert not ran.stderr

    def test_a_whole_run_ends_with_the_tests_of_the_end(self, folder):
        ran = self.run(folder)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert (folder / "notes").read_text().split() == ["up", "tried", "down"]
        first, last = [line for line in ran.stdout.splitlines() if "passed" in line]
        assert "1 passed, 1 skipped" in first
        assert last == ran.stdout.splitlines()[-1]

    def test_a_failure_at_the_end_is_a_failure(self, folder):
        (folder / run.TEARDOWN_TESTS).write_text(self.TEARDOWN_TEST + "    assert False\n")
        ran = self.run(folder)
        assert ran.returncode == 1
        assert "1 failed" in ran.stdout.splitlines()[-1]
        assert (folder / "notes").read_text().split() == ["up", "tried", "down"]

    def test_it_stays_when_somebody_else_uses_it_by_then(self, folder):
        (folder / "used-by-others").touch()
        ran = self.run(folder, "-v")
        assert ran.returncode == 0
        assert "noise of the cluster" in ran.stderr  # what `down` says is passed on

    def test_it_goes_after_failures_too(self, folder):
        (folder / "tests" / "test_it.py").write_text("def test_it():\n    assert False\n")
        ran = self.run(folder)
        assert ran.returncode == 1
        assert "1 failed" in ran.stdout.splitlines()[-1]
        assert (folder / "notes").read_text().split() == ["up", "down"]

    def test_it_stays_when_it_is_to_be_kept(self, folder):
        assert self.run(folder, KEEP="1").returncode == 0
        assert (folder / "notes").read_text().split() == ["up"]

    def test_it_stays_when_it_was_there_before(self, folder):
        (folder / "running").touch()
        assert self.run(folder).returncode == 0
        assert (folder / "notes").read_text() == ""

    def test_no_test_runs_without_it_when_it_does_not_start(self, folder):
        (folder / "broken").touch()
        ran = self.run(folder)
        assert ran.returncode == 1
        assert "passed" not in ran.stdout
        assert (folder / "notes").read_text().split() == ["up", "down"]

    def test_what_is_left_out_stands_beside_the_last_line(self, folder):
        ran = self.run(folder, CLUSTER="kind")
        assert ran.returncode == 0
        end = "\n".join(ran.stdout.splitlines()[-5:])
        assert "LEFT OUT: all end-to-end tests" in end
        assert "CLUSTER=kind" in end


PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


class TestPapers:
    @pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
    def test_links_lead_to_files(self, paper):
        targets = re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", paper.read_text())
        assert not [target for target in targets if not (paper.parent / target).exists()]

    @pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
    def test_make_commands_exist(self, paper):
        targets = set(re.findall(r"^([a-z.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert set(re.findall(r"`make ([a-z-]+)", paper.read_text())) <= targets

    def test_every_reason_is_explained(self):
        reasons = {value for name, value in vars(contract).items() if name.startswith("REASON_")}
        explained = set(
            re.findall(r"^\| `([A-Za-z]+)` \|", (ROOT / "docs" / "conditions.md").read_text(), re.MULTILINE)
        )
        assert reasons <= explained

    def test_every_reason_is_given_by_somebody(self):
        sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "contract.py")
        reasons = [name for name in vars(contract) if name.startswith("REASON_")]
        assert not [name for name in reasons if not re.search(rf"\b{name}\b", sources)]

    def test_every_condition_label_and_annotation_is_explained(self):
        text = (ROOT / "docs" / "conditions.md").read_text()
        names = [value for name, value in vars(contract).items() if name.startswith(("ANNOTATION_", "LABEL_"))]
        assert not [word for word in (*contract.CONDITION_TYPES, *names) if f"`{word}`" not in text]

    def test_generated_pages_are_current(self):
        checked = subprocess.run(
            [sys.executable, ROOT / "docs" / "generate.py", "--check"], check=False, capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr

    @pytest.mark.parametrize("paper", ["README.md", "docs/resource.md"])
    def test_shown_model_deployments_are_understood(self, paper):
        shown = [yaml.safe_load(block) for block in blocks_of(ROOT / paper, "yaml")]
        assert shown
        for body in shown:
            assert body["kind"] == contract.KIND_MODEL_DEPLOYMENT
            desired_of(body)

    def test_the_first_one_is_short(self):
        assert len(blocks_of(ROOT / "README.md", "yaml")[0].strip().splitlines()) == 15

    def test_documented_defaults_are_the_real_ones(self):
        container = {"name": "server", "image": "registry.example/fraud:7"}
        desired = desired_of(
            {"metadata": {"name": "fraud"}, "spec": {"template": {"spec": {"containers": [container]}}}}
        )
        plan = desired.plan
        defaults = {
            "replicas": desired.replicas,
            "service.port": desired.service.port,
            "rollout.steps": "weights " + ", ".join(str(step.weight) for step in plan.steps),
            "rollout.onInconclusive": f"`{plan.on_inconclusive.value}`",
            "rollout.maxWait": format_duration(plan.max_wait),
            "rollout.progressDeadline": format_duration(plan.progress_deadline),
            "rollout.paused": str(desired.paused).lower(),
            "rollout.keepOld": format_duration(desired.keep_old),
            "rollout.historyLimit": desired.history_limit,
            "rollout.revisionHistoryLimit": desired.revision_history_limit,
            "analysis.interval": format_duration(plan.interval),
            "analysis.falseRollbackRate": plan.false_rollback_rate,
            "analysis.falsePromotionRate": plan.false_promotion_rate,
            "analysis.confirmTicks": plan.confirm_ticks,
        }
        written = dict(
            re.findall(r"^\| `([A-Za-z.]+)` \| ([^|]*) \|", (ROOT / "docs" / "resource.md").read_text(), re.MULTILINE)
        )
        assert {name: written.get(name) for name in defaults} == {name: str(value) for name, value in defaults.items()}

    def test_documented_shares_are_the_real_ones(self):
        text = (ROOT / "docs" / "resource.md").read_text()
        rows = re.findall(r"^\| (\d+) \| ([^|]* %) \| ([^|]* %) \| ([^|]* %) \|$", text, re.MULTILINE)
        assert rows
        for replicas, *cells in rows:
            for weight, cell in zip((5, 25, 50), cells, strict=True):
                assert cell.endswith(f"{steps.reachable_percent(int(replicas), weight)} %"), (replicas, weight)

    def test_every_setting_is_explained_with_its_default(self):
        table = re.findall(
            r"^\| `SERINUS_([A-Z_]+)` \| ([^|]*) \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
        )
        written = {name.lower(): default.strip("`") for name, default in table}
        defaults = Settings()
        assert written.keys() == {field.name for field in dataclasses.fields(Settings)}
        for name in ("workers", "log_level", "log_format", "liveness_port", "metrics_port", "pod_namespace"):
            assert written[name] == str(getattr(defaults, name))
        assert written["scrape_timeout"] == format_duration(defaults.scrape_timeout)
        assert written["leader_election"] == str(defaults.leader_election).lower()

    def test_the_rights_shown_are_those_that_the_chart_gives(self):
        template = (ROOT / "charts" / "serinus" / "templates" / "_rules.tpl").read_text()
        rules = yaml.safe_load(re.sub(r"{{.*?}}", "", template, flags=re.DOTALL))
        given = {resource: rule["verbs"] for rule in rules for resource in rule["resources"]}
        text = (ROOT / "docs" / "operations.md").read_text().split("## Rights")[1].split("\n## ")[0]
        shown = {
            kind: verbs.split(", ")
            for kind, verbs in re.findall(r"^\| `([a-z/]+)` \| ([a-z, ]+) \|", text, re.MULTILINE)
        }
        assert shown == given

    def test_the_metrics_shown_exist(self):
        registry = Telemetry().registry
        exported = {family.name for family in registry.collect()} | {
            f"{family.name}_total" for family in registry.collect()
        }
        text = (ROOT / "docs" / "operations.md").read_text()
        shown = set(re.findall(r"^\| `(serinus_[a-z_]+)` \|", text, re.MULTILINE))
        assert shown
        assert shown <= exported


def blocks_of(paper: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language that show ModelDeployments."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", paper.read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "kind: ModelDeployment\nmetadata" in block]


def desired_of(body: dict) -> Desired:
    metadata = {"namespace": "risk", "uid": "0", "generation": 1} | body["metadata"]
    return make_desired(body | {"metadata": metadata}, "bcdfghjklm")
