"""Run the operator as a process that can be killed, with the rights of its ServiceAccount and no more."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from e2e.waiting import eventually

SOURCES = Path(__file__).parents[2] / "operator"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 30


class OperatorProcess:
    """One operator at a time; its log grows over restarts."""

    def __init__(self, *, kubeconfig: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        # A port of its own, so that two checkouts can run their tests at the same time.
        self._liveness_port = _free_port()
        self._environment = {
            **{key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG"}},
            "PYTHONPATH": str(SOURCES),
            "KUBECONFIG": str(kubeconfig),
            "SERINUS_LIVENESS_PORT": str(self._liveness_port),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id of the living operator."""
        assert self._process is not None, "the operator was never started"
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it says that it lives."""
        assert not self.running, "the operator runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serinus", "run"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually("the operator answers its liveness probe", self._lives, within=START_SECONDS)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=10)

    def stop(self) -> int:
        """Ask it to end and return its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20)

    def log_tail(self, lines: int) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def log_lines(self, word: str) -> list[str]:
        """Return the lines of the log that hold a word, each with what stands around it."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [
            "\n".join(lines[max(0, at - 1) : at + 25]) for at, line in enumerate(lines) if word.lower() in line.lower()
        ]

    def resident_bytes(self) -> int:
        """Return the resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def processor_seconds(self) -> float:
        """Return the processor time used since the start, of all threads, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def _lives(self) -> bool:
        assert self.running, f"the operator ended at its start:\n{self.log_tail(40)}"
        try:
            answer = requests.get(f"http://127.0.0.1:{self._liveness_port}/healthz", timeout=2)
        except requests.ConnectionError:
            return False
        return answer.ok


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class ProcessorUse:
    """Share of one core that a process used since this was made."""

    def __init__(self, operator: OperatorProcess) -> None:
        self._operator = operator
        self._seconds = operator.processor_seconds()
        self._since = time.monotonic()

    def share(self) -> float:
        """Return the share, in [0, number of cores]."""
        return (self._operator.processor_seconds() - self._seconds) / (time.monotonic() - self._since)
