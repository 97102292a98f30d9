"""Runs external commands to their end. Must not be used for what keeps running (that is `process`)."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import CommandFailed, HarnessError

# A daemon started by a login shell of a plain user does not have these on its path.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(
    *argv: str | Path,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    timeout_seconds: float = 120,
) -> str:
    """Run a command and return its standard output.

    `environment` is added to the present one. Raises `CommandFailed` with both streams if the status is not 0,
    `HarnessError` if the command is not there or does not end in time.
    """
    words = tuple(str(word) for word in argv)
    merged = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}", **(environment or {})}
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env=merged,
            cwd=directory,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise HarnessError(f"`{words[0]}` is not installed on this machine.") from error
    except subprocess.TimeoutExpired as error:
        raise HarnessError(f"`{' '.join(words)}` did not end within {timeout_seconds:.0f} s.") from error
    if done.returncode != 0:
        raise CommandFailed(words, done.returncode, done.stdout + done.stderr)
    return done.stdout
