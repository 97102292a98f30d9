"""Run the benchmark: ``python -m benchmarks.decisions quick|full``; exits with 1 if a bar is missed."""

import argparse
import hashlib
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path

from benchmarks.decisions.bars import findings
from benchmarks.decisions.cells import SEED
from benchmarks.decisions.lines import Line
from benchmarks.decisions.outcomes import read_outcomes
from benchmarks.decisions.plots import draw
from benchmarks.decisions.runner import run
from benchmarks.decisions.store import Store
from benchmarks.decisions.suites import full_aims, quick_aims
from benchmarks.decisions.tables import report

NAME = "2026-11-22-decision-benchmark"


def main() -> int:
    """Run, write the page, print missed bars."""
    options = _options()
    whole = options.suite == "full" and options.scale == 1.0 and not options.only
    name = NAME if whole else f"{NAME}-{'part' if options.suite == 'full' else 'quick'}"
    store, begin = Store(options.results), time.monotonic()
    aims = full_aims(options.scale) if options.suite == "full" else quick_aims()
    aims = {line: aim for line, aim in aims.items() if not options.only or _named(line, options.only)}
    print(f"{options.suite}: {len(aims)} lines, results in {options.results}", flush=True)
    complete = run(aims, store, seconds=options.minutes * 60.0, workers=options.workers, tell=_tell)
    outcomes = read_outcomes(store)
    found = findings(outcomes)
    options.out.mkdir(parents=True, exist_ok=True)
    plots = draw(outcomes, options.out, name)
    facts = _facts(options.suite, complete, time.monotonic() - begin)
    page = options.out / f"{name}.md"
    page.write_text(report(outcomes, found, facts, plots))
    missed = [each for each in found if not each.holds]
    for each in missed:
        print(f"bar {each.bar} missed in {each.cell}: {each.measured}, wanted {each.wanted}")
    print(f"{len(found) - len(missed)} of {len(found)} findings hold; see {page}")
    return 1 if missed else 0


def _named(line: Line, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(line.key, f"*{each}*") for each in patterns)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.decisions", description=__doc__)
    parser.add_argument("suite", choices=("quick", "full"))
    parser.add_argument("--minutes", type=float, default=60.0, help="no replicate is begun after these")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the replicates of the full suite")
    parser.add_argument(
        "--only", action="append", default=[], help="run only lines whose name contains this (* for anything)"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--results", type=Path, help="folder of results; what is in it is not run again (default: build/…)"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/decisions/bench"))
    options = parser.parse_args()
    if options.results is None:
        options.results = Path("build", "bench-decisions", f"{options.suite}-{_digest()}")
    return options


def _digest() -> str:
    """Return a digest of all code that a result depends on, so that no result of other code is taken up again."""
    code = hashlib.sha256()
    for folder in ("operator/serinus", "benchmarks/decisions", "benchmarks/peers", "tests/support"):
        for file in sorted(Path(folder).rglob("*.py")):
            code.update(file.read_bytes())
    return code.hexdigest()[:12]


def _facts(suite: str, complete: bool, took: float) -> dict[str, str]:
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "suite": f"{suite}{'' if complete else ', cut short by its time'}; replicates of each cell stand in its row",
        "seed": f"{SEED}, PCG64, one SeedSequence per cell's name and replicate",
        "serinus": commit.stdout.strip() or "unknown",
        "python": f"{platform.python_version()}, numpy {version('numpy')}, scipy {version('scipy')}",
        "took": f"{took / 60:.0f} min on this occasion, of which an earlier, resumed run may have taken more",
        "paths": "S6 goes the whole way (events, faulty scrapes, query API over HTTP, client, counting, judge); the "
        "other scenarios give counts per pod and tick straight to the judge, and a test holds that both ways agree",
    }


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
