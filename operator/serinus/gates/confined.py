"""Run users' JSONPaths and JSON Schemas in a process of their own, with little time and memory.

Both are small programs: a regular expression or a nested path may take for ever, and Python's regular expressions
hold up every other thread. The process gets no environment of ours, and nothing in it asks a network.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from threading import BoundedSemaphore
from typing import Any

import jsonpath

from serinus.errors import BrokenInvariant, SerinusError
from serinus.gates.checks import wrong_json
from serinus.gates.distance import Distance, distance
from serinus.rollout.smoke import Expect, JsonCheck

CPU_SECONDS = 5
MEMORY_BYTES = 256 * 1024 * 1024
_WALL_SECONDS = 30.0
_OUT_OF_MEMORY = 3
_AT_ONCE = BoundedSemaphore(1)  # its memory counts as the operator's
TOO_COSTLY = (
    f"its JSONPaths and its JSON Schema took more than {CPU_SECONDS} s or {MEMORY_BYTES // 1024**2} MiB on this "
    "answer: simplify them"
)


class _TooCostly(SerinusError):
    """A limit was reached while something was looked into."""

    def __init__(self, done: list[Any]) -> None:
        super().__init__(TOO_COSTLY)
        self.done = done
        """What came of all before it."""


def check_json(answers: Sequence[tuple[str, Expect]]) -> tuple[int, str] | None:
    """Check bodies against what is expected inside them.

    Returns:
        Index of the first answer that is wrong, and what is wrong with it; None if nothing is.

    Raises:
        BrokenInvariant: the process failed by itself: our own bug.
    """
    try:
        found = _run({"check": [[body, asdict(expect)] for body, expect in answers]})
    except _TooCostly as limit:
        found = [*limit.done, TOO_COSTLY]
    return next(((index, wrong) for index, wrong in enumerate(found) if wrong), None)


def measure(pairs: Sequence[tuple[str, str]], outputs: Sequence[str]) -> tuple[Distance, ...]:
    """Return how far each pair of bodies, canary's and stable's, lies apart; up to the first that costs too much.

    Raises:
        BrokenInvariant: the process failed by itself: our own bug.
    """
    try:
        found = _run({"distance": [list(each) for each in pairs], "outputs": list(outputs)})
    except _TooCostly as limit:
        found = [*limit.done, asdict(Distance(shapes=f"not compared, because {TOO_COSTLY}"))]
    return tuple(Distance(**each) for each in found)


def _run(task: Mapping[str, Any]) -> list[Any]:
    environment = {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-s", "-P", "-m", "serinus.gates.confined", str(CPU_SECONDS), str(MEMORY_BYTES)]
    with _AT_ONCE:
        try:
            done = subprocess.run(  # noqa: S603
                command,
                input=json.dumps(task).encode(),
                capture_output=True,
                check=False,
                env=environment,
                timeout=_WALL_SECONDS,
            )
        except subprocess.TimeoutExpired as expired:
            raise _TooCostly(_read(expired.stdout)) from expired
    if done.returncode < 0 or done.returncode == _OUT_OF_MEMORY:  # ended by a limit of time, or of memory
        raise _TooCostly(_read(done.stdout))
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise BrokenInvariant(f"the process that checks answers ended with {done.returncode}: {told[-1:]}")
    return _read(done.stdout)


def _read(written: bytes | None) -> list[Any]:
    """Return the results that were written whole, one a line."""
    return [json.loads(line) for line in (written or b"").splitlines(keepends=True) if line.endswith(b"\n")]


def _answers(task: Mapping[str, Any]) -> Iterator[Any]:
    """Do a task and yield what comes of each of its parts; runs in the process of its own."""
    if "check" in task:
        for body, expect in task["check"]:
            wrong = _wrong(body, _expect(expect))
            yield wrong
            if wrong:
                return
        return
    for canary, stable in task["distance"]:
        try:
            found = distance(canary, stable, task["outputs"])
        except (RecursionError, jsonpath.JSONPathError) as error:
            found = Distance(shapes=f"not compared: {type(error).__name__}: {error}"[:200])
        yield asdict(found)


def _wrong(body: str, expect: Expect) -> str:
    try:
        return wrong_json(body, expect)
    except MemoryError:
        raise
    except Exception as error:  # a user's path or schema may fail in any way of its library
        return f"it cannot be checked: {type(error).__name__}: {error}"[:200]


def _expect(wire: Mapping[str, Any]) -> Expect:
    return Expect(**{**wire, "json_path": tuple(JsonCheck(**each) for each in wire["json_path"])})


def _main() -> None:
    for what, most in zip((resource.RLIMIT_CPU, resource.RLIMIT_AS), map(int, sys.argv[1:]), strict=True):
        resource.setrlimit(what, (most, most))
    try:
        for each in _answers(json.load(sys.stdin)):
            # At once: what is not written when a limit ends the process is what cost too much.
            sys.stdout.write(json.dumps(each) + "\n")
            sys.stdout.flush()
    except MemoryError:
        sys.exit(_OUT_OF_MEMORY)


if __name__ == "__main__":
    _main()
