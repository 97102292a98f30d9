"""The base of Python images: a small root file system of the host's own Debian or Ubuntu release.

Because it is the host's release, the host's /usr/bin/python3 is the image's Python: packages are resolved and
compiled with it, and no foreign-platform options are needed.
"""

import hashlib
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.errors import HarnessError
from cluster.images.layers import cached_layer, write_tar
from cluster.images.oci import Layer, architecture
from cluster.packages import find
from cluster.progress import Reporter

# libstdc++6: NumPy, SciPy and gRPC are linked against it. busybox: a shell for `kubectl exec` (its wget has no -T).
PACKAGES = ("python3", "busybox-static", "netbase", "libstdc++6")
LEFT_OUT = (
    "/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/i18n/*", "/usr/lib/*/gconv/*",
)  # fmt: skip
HOST_PYTHON = Path("/usr/bin/python3")
MERGED_USR_HOOK = Path("/usr/share/mmdebstrap/hooks/merged-usr")
SHELL = "busybox"
"""What the package busybox-static installs; the links of the glue layer lead to it."""
APPLETS = (
    "sh", "ls", "cat", "env", "grep", "head", "tail", "sleep", "wget", "nslookup", "ps", "kill", "id", "true", "false",
    "find", "vi", "less", "nc", "mkdir", "rm", "cp", "mv", "echo", "test", "date", "hostname", "stat", "du", "df",
)  # fmt: skip
# `extract` runs no maintainer scripts, so nobody has written these.
GLUE = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/false\n",
    "/etc/group": "root:x:0:\nnonroot:x:65532:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The two layers below every Python image."""

    key: str
    """Changes with everything that the layers above depend on."""
    layers: tuple[Layer, ...]


def build(cache: Path, reporter: Reporter) -> Base:
    """Return the base of the host's release, built unless the cache has it (about 15 s)."""
    release = host_release()
    python = run(HOST_PYTHON, "-c", "import platform; print(platform.python_version())").strip()
    recipe = repr((release, architecture(), python, PACKAGES, LEFT_OUT, SHELL, APPLETS, sorted(GLUE.items())))
    key = hashlib.sha256(recipe.encode()).hexdigest()[:16]

    def bootstrap(target: Path) -> None:
        with reporter.step("base image", f"building from {release}", key="base image"):
            _bootstrap(release, python, target)

    base = cached_layer(cache, "base", key, bootstrap)
    return Base(key=key, layers=(base, cached_layer(cache, "glue", key, _write_glue)))


def host_release() -> str:
    """Return the code name of the host's release, for example bookworm. Raises `HarnessError` if it has none."""
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise HarnessError("/etc/os-release names no release; images are built from Debian's and Ubuntu's packages only.")


def _bootstrap(release: str, python: str, target: Path) -> None:
    hook = (f"--hook-dir={MERGED_USR_HOOK}",) if MERGED_USR_HOOK.is_dir() else ()
    excludes = (f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT)
    # The format is said because mmdebstrap would guess it from the file's name.
    run(
        find("mmdebstrap"), "--quiet", "--variant=extract", "--format=tar", f"--include={','.join(PACKAGES)}",
        *hook, *excludes, release, target,
        environment={"SOURCE_DATE_EPOCH": "0"}, timeout_seconds=600,
    )  # fmt: skip
    wanted = f"./usr/bin/python{'.'.join(python.split('.')[:2])}"
    with tarfile.open(target) as tar:
        found = set(tar.getnames())
        if f"./usr/bin/{SHELL}" not in found:
            raise HarnessError(f"The packages of {release} bring no /usr/bin/{SHELL} for the links of the glue layer.")
        if wanted not in found:
            raise HarnessError(
                f"The packages of {release} bring another Python than {HOST_PYTHON} is ({python}). "
                "Restore the distribution's own /usr/bin/python3."
            )


def _write_glue(target: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name, content in GLUE.items():
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        programs = root / "usr" / "bin"
        programs.mkdir(parents=True)
        for applet in APPLETS:
            (programs / applet).symlink_to(SHELL)
        write_tar(target, {"/": root})
