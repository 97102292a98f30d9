"""Run all tests, on a real cluster where one can be had: what `make test` does after the lint.

Knows when a cluster can be had and who takes it down again; pytest knows the rest. A cluster that was running before
stays; one that this run started goes at the end, unless KEEP=1 or somebody else uses it by then. It goes by way of the
tests of that, if all tests were to run and none failed. What had to be left out is said before the first test and
again beside pytest's closing line.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import access

ROOT = Path(__file__).parent.parent
DOWN_LOG = ROOT / "build" / "cluster-down.log"
TEARDOWN_TESTS = Path("tests", "cluster_test", "test_teardown.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What this run does about a cluster."""

    start: bool = False
    """Bring the test cluster up before the tests."""
    stop: bool = False
    """Take it down after them."""
    try_teardown: bool = False
    """Do so by the tests of that, which break and remove the cluster in several ways."""
    ask: bool = False
    """Say which cluster the kubeconfig names, and ask whether it may be used."""
    left_out: str = ""
    """Why the end-to-end tests cannot run here; empty when they can."""


def plan(*, environment: Mapping[str, str], platform: str, user: int, running: bool, whole: bool) -> Plan:
    """Decide where the end-to-end tests run, and what becomes of the cluster.

    Args:
        environment: variables of the process; CLUSTER=current means the cluster of the user's kubeconfig, which is
            asked about unless YES=1; KEEP=1 leaves running what this run starts.
        platform: as `sys.platform`.
        user: effective user id; 0 is root.
        running: whether the test cluster is up already.
        whole: whether all tests are to run, not what somebody named of them.
    """
    match environment.get("CLUSTER", ""):
        case "current":
            return Plan(ask=environment.get("YES") != "1")
        case "":
            pass
        case other:
            return Plan(left_out=f"CLUSTER={other} means nothing: use CLUSTER=current, or leave it out")
    if running:
        return Plan()
    if platform != "linux":
        return Plan(left_out=f"the test cluster needs Linux, this is {platform}: set CLUSTER=current to use your own")
    if user != 0:
        return Plan(left_out="the test cluster needs root: run as root, or set CLUSTER=current to use your own")
    stop = environment.get("KEEP") != "1"
    return Plan(start=True, stop=stop, try_teardown=stop and whole)


class LeftOut:
    """A pytest plugin that repeats, at the end, what did not run."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the reason under the results."""
        terminalreporter.section("LEFT OUT: all end-to-end tests", sep="!", red=True, bold=True)
        terminalreporter.write_line(self.reason)


def cluster(command: str) -> int:
    """Run one command of the test cluster in the foreground; return its exit status."""
    return subprocess.run([sys.executable, "-m", "cluster", command], cwd=ROOT, check=False).returncode


def take_down() -> bool:
    """Take the test cluster down, quietly: pytest's closing lines stay the last. Return whether nothing went wrong.

    Somebody else's use of the cluster is nothing wrong: then it stays, and that is said.
    """
    DOWN_LOG.parent.mkdir(exist_ok=True)
    with DOWN_LOG.open("w") as log:
        command = [sys.executable, "-m", "cluster", "down"]
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode == access.IN_USE_STATUS:
        print(DOWN_LOG.read_text().strip(), file=sys.stderr)
        return True
    if done.returncode != 0:
        print(f"the test cluster could not be taken down (status {done.returncode}):", file=sys.stderr)
        print(DOWN_LOG.read_text(), file=sys.stderr)
    return done.returncode == 0


def run_tests(arguments: Sequence[str], left_out: str) -> int:
    """Run pytest over the whole tree; return its exit status."""
    if not left_out:
        return int(pytest.main([*arguments]))
    print(f"\n!!! LEFT OUT: all end-to-end tests\n!!! {left_out}\n", file=sys.stderr, flush=True)
    return int(pytest.main(["-m", "not e2e", *arguments], plugins=[LeftOut(left_out)]))


def run_teardown_tests() -> int:
    """Let the tests of it take the cluster down, when nothing else needs it any more; return their exit status.

    In a process of its own: pytest keeps too much to run twice in one.
    """
    print("\nNow the ways in which a cluster breaks and goes:\n", flush=True)
    command = [sys.executable, "-m", "pytest", str(TEARDOWN_TESTS)]
    environment = {**os.environ, "SERINUS_TEST_TEARDOWN": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def offer_prometheus() -> None:
    """Let the tests that try PromQL on a real Prometheus have the test cluster's binary."""
    if (built := access.built_binary("prometheus")) is not None:
        os.environ.setdefault("SERINUS_TEST_PROMETHEUS", str(built))


def is_allowed() -> bool:
    """Say which cluster the kubeconfig names; return whether the person at the terminal lets us use it."""
    if shutil.which("kubectl") is None:
        print("CLUSTER=current needs kubectl in PATH.", file=sys.stderr)
        return False
    asked = subprocess.run(["kubectl", "config", "current-context"], check=False, capture_output=True, text=True)
    context = asked.stdout.strip() or "(none)"
    print(f"CLUSTER=current: the tests install Serinus' CRDs and use a namespace of their own in context {context}.")
    if not sys.stdin.isatty():
        print("Nobody is here to be asked: set YES=1 to agree.", file=sys.stderr)
        return False
    return input("Go on? [y/N] ").strip().lower() in {"y", "yes"}


def main(arguments: Sequence[str]) -> int:
    """Run everything that can run here, or what the arguments name of it; return the exit status."""
    os.chdir(ROOT)
    with ExitStack() as use:
        use.enter_context(access.in_use())
        todo = plan(
            environment=os.environ,
            platform=sys.platform,
            user=os.geteuid(),
            running=access.is_up(),
            whole=not arguments,
        )
        if todo.ask and not is_allowed():
            return 2
        try:
            status = cluster("up") if todo.start else 0
            if status == 0:
                offer_prometheus()
                status = run_tests(arguments, todo.left_out)
                use.close()  # the cluster goes only if nobody uses it, and that includes us
                if status == 0 and todo.try_teardown:
                    status = run_teardown_tests()
        finally:
            use.close()
            went_down = not todo.stop or take_down()
    return status if went_down else status or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
