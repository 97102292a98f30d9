"""Install a server from its hashed constraints file. Knows virtual environments; must not know servers."""

import fcntl
import hashlib
import shutil
import sys
from pathlib import Path

from cluster.commands import run

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints"
ENVIRONMENTS = ROOT / "build" / "servers"


def environment(name: str, family: str = "server") -> Path:
    """Return the environment of ``constraints/<family>-<name>.txt``, made anew when that file or our Python changed.

    Raises:
        HarnessError: the packages cannot be had.
    """
    requirements = CONSTRAINTS / f"{family}-{name}.txt"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = ENVIRONMENTS / f"{name}-{key}"
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for old in ENVIRONMENTS.glob(f"{name}-????????????????"):
                shutil.rmtree(old)
            _install(folder, requirements)
            (folder / "complete").touch()
    return folder


def _install(folder: Path, requirements: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    run(
        sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps",
        "--disable-pip-version-check", "--no-compile", "--only-binary=:all:", "--require-hashes", "-r", requirements,
        timeout_seconds=900,
    )  # fmt: skip
