"""Where everything is. The state is per machine (one cluster), the cache per user (content-addressed)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GO_MODULES = Path(__file__).parent / "go"
STATE_VARIABLE = "SERINUS_STATE"
CACHE_VARIABLE = "SERINUS_CACHE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The two directories, and every path that more than one module needs."""

    state: Path
    cache: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Layout":
        """Read `SERINUS_STATE` and `SERINUS_CACHE`; both have defaults."""
        variables = os.environ if environment is None else environment
        return cls(
            state=Path(variables.get(STATE_VARIABLE) or "/var/lib/serinus-cluster"),
            cache=Path(variables.get(CACHE_VARIABLE) or Path.home() / ".cache" / "serinus"),
        )

    @property
    def lock(self) -> Path:
        """Outside the state directory, because teardown removes that one."""
        return self.state.with_name(self.state.name + ".lock")

    @property
    def users(self) -> Path:
        """Locked by everybody who uses the cluster; outside the state directory, too."""
        return self.state.with_name(self.state.name + ".users")

    @property
    def record(self) -> Path:
        """What was started; written last, so its absence means that `up` did not finish."""
        return self.state / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "etc" / "admin.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        return self.state / "run" / "containerd.sock"

    @property
    def certificates(self) -> Path:
        return self.state / "pki"

    def binary(self, name: str) -> Path:
        """A stable name for a binary of the cache, so that what runs does not depend on where the cache is."""
        return self.state / "bin" / name

    def config(self, name: str) -> Path:
        return self.state / "etc" / name

    def data(self, name: str) -> Path:
        return self.state / name

    def log(self, name: str) -> Path:
        return self.state / "logs" / f"{name}.log"

    def pid(self, name: str) -> Path:
        return self.state / "pids" / f"{name}.json"
