"""The shell of ``serinus fetch``: reads the environment, resolves or fetches, and leaves word of how it ended.

Knows the clock, signals and files; what a store is, it leaves to the sources.
"""

import hashlib
import json
import logging
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from serinus.fetch.failures import FetchFailed, RangeIgnored, Reason
from serinus.fetch.masking import mask, secrets_in
from serinus.fetch.partial import boot
from serinus.fetch.paths import MARKER, PARTIAL
from serinus.fetch.patience import Patience, ask
from serinus.fetch.pins import format_pin, make_pin, parse_pin
from serinus.fetch.progress import Progress, readable
from serinus.fetch.remote import Found, RemoteFile
from serinus.fetch.source import Source
from serinus.fetch.sources import open_source
from serinus.fetch.transfer import Transfer, hash_file
from serinus.fetch.tree import digest_of_tree, is_digest

logger = logging.getLogger("serinus.fetch")
TERMINATION_LOG = Path("/dev/termination-log")
_LONGEST_MESSAGE_BYTES = 3000
# A kubelet keeps 4096 bytes, most of which are the pin's; a character may take six of them.
_LONGEST_SOURCE = 200
_SCHEMA = 1


def resolve(uri: str, environment: Mapping[str, str], patience: Patience) -> dict[str, object]:
    """Return what stands behind a URI now, as the operator reads it.

    Files of which the store says nothing that changes with their content are read, so that their digest can be pinned.

    Raises:
        FetchFailed: It cannot be told.
    """
    source = open_source(uri, environment)
    found = ask(source.find, patience, logger.warning)
    found = replace(found, files=tuple(_pinnable(source, file, patience) for file in found.files))
    pin = make_pin(found, datetime.now(UTC).replace(microsecond=0))
    logger.info("%d files, %s", pin.count, readable(pin.size))
    return {
        "schema": _SCHEMA,
        "digest": pin.fingerprint,
        "pin": format_pin(pin),
        "files": pin.count,
        "bytes": pin.size,
        "source": mask(found.source or uri)[:_LONGEST_SOURCE],
    }


def _pinnable(source: Source, file: RemoteFile, patience: Patience) -> RemoteFile:
    if file.sha256 or file.git_blob or file.etag or file.version:
        return file
    logger.warning("the store gives no etag for %s: it is read to learn its digest", file.path)

    def read() -> RemoteFile:
        total, size = hashlib.sha256(), 0
        with source.read(file, 0, None) as blocks:
            for block in blocks:
                total.update(block)
                size += len(block)
        return replace(file, sha256=total.hexdigest(), size=size)

    return ask(read, patience, logger.warning)


def fetch(
    uri: str,
    directory: Path,
    environment: Mapping[str, str],
    *,
    pin_text: str = "",
    digest: str = "",
    parallel: int = 8,
    patience: Patience | None = None,
) -> dict[str, object]:
    """Bring a model into a directory, whole, and return what came; nothing is done if it is there already.

    Args:
        uri: Where the model is.
        directory: Where it goes; made if it is not there.
        environment: With the credentials.
        pin_text: What ``resolve`` said, empty for what stands there now.
        digest: What its content must be, empty for anything.
        parallel: How many requests at the same time.
        patience: How often a failing store is asked again.

    Raises:
        FetchFailed: It is not there whole.
    """
    if digest and not is_digest(digest):
        raise FetchFailed(Reason.UNSUPPORTED, "--digest is sha256: and 64 hexadecimal digits in lower case.")
    patience = patience or Patience()
    pin = parse_pin(pin_text) if pin_text else None
    wanted = {"schema": _SCHEMA, "uri": mask(uri), "pin": pin_text, "digest": digest}
    if (before := _complete(directory, wanted)) is not None:
        logger.info("%s is complete already", directory)
        return before
    source = open_source(uri, environment)
    found = ask(lambda: source.recall(pin) if pin else source.find(), patience, logger.warning)
    answer = _bring(source, found, directory, parallel=parallel, patience=patience, digest=digest)
    answer["pin"] = pin_text
    _write_marker(directory, wanted | {"answer": answer, "boot": boot()})
    return answer


def _bring(
    source: Source, found: Found, directory: Path, *, parallel: int, patience: Patience, digest: str
) -> dict[str, object]:
    _make_directory(directory)
    progress = Progress(files=len(found.files), size=sum(max(0, file.size) for file in found.files))
    transfer = Transfer(source, directory, parallel=parallel, patience=patience, progress=progress)
    paths = transfer.run(found)
    if not paths:
        raise FetchFailed(Reason.NOT_FOUND, "The artifact holds no files.")
    progress.tell_end()
    seconds = round(progress.seconds(), 3)
    content = _check(directory, paths, digest, found.commit) if digest else None
    shutil.rmtree(directory / PARTIAL, ignore_errors=True)
    size = sum((directory / path).stat().st_size for path in paths)
    return {"schema": _SCHEMA, "files": len(paths), "bytes": size, "seconds": seconds, "digest": content}


def _check(directory: Path, paths: tuple[str, ...], digest: str, commit: str) -> str:
    """Compare the content with the digest that the user gave; remove it if it is another."""
    if digest == commit:
        # A manifest names its blobs by digest, and each was compared when it came.
        return digest
    content = digest_of_tree({path: hash_file(directory / path, hashlib.sha256()) for path in paths})
    if content == digest:
        return content
    for path in paths:
        (directory / path).unlink(missing_ok=True)
    raise FetchFailed(
        Reason.DIGEST_MISMATCH,
        f"The model's {len(paths)} files have the digest {content}, and spec.model.digest is {digest}. If they are "
        "what you want, write their digest; otherwise somebody has replaced them.",
    )


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / PARTIAL).mkdir(exist_ok=True)
    except OSError as error:
        raise FetchFailed(
            Reason.UNSUPPORTED, f"{directory} cannot be written: {error.strerror}. Which volume is mounted there?"
        ) from error


def _complete(directory: Path, wanted: Mapping[str, object]) -> dict[str, object] | None:
    """Return the answer of the run that filled a directory with just this; None if nobody did."""
    try:
        marker: Any = json.loads((directory / MARKER).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        marker = {}
    if isinstance(marker, dict) and {name: marker.get(name) for name in wanted} == wanted:
        # Before a machine starts again it may crash, and then a file's name can be on its disk without its bytes.
        return dict(marker["answer"]) if marker.get("boot") == boot() else None
    raise FetchFailed(
        Reason.UNSUPPORTED,
        f"{directory} holds another artifact already, which other pods may be serving. Give every revision a volume of "
        "its own (an emptyDir is one), or remove what is in it.",
    )


def _write_marker(directory: Path, marker: Mapping[str, object]) -> None:
    unfinished = directory / f"{MARKER}.new"
    unfinished.write_text(json.dumps(marker))
    unfinished.replace(directory / MARKER)


def leave_word(text: str, log: Path = TERMINATION_LOG) -> None:
    """Write the termination message where a kubelet looks for it; elsewhere there is no such file."""
    try:
        if log.exists():
            log.write_text(text)
    except OSError as error:
        logger.warning("%s cannot be written: %s", log, error.strerror)


def describe_failure(failed: FetchFailed, secrets: tuple[str, ...]) -> str:
    """Return the termination message of a failure: one line of JSON, at most 3000 bytes, without secrets."""
    message = mask(failed.message, secrets)
    while True:
        text = json.dumps({"schema": _SCHEMA, "reason": failed.reason.value, "message": message}, ensure_ascii=False)
        if len(text.encode()) <= _LONGEST_MESSAGE_BYTES:
            return text
        message = f"{message[: len(message) * 9 // 10]}…"


def set_up_logging(secrets: tuple[str, ...]) -> None:
    """Log to standard error, a line an event, without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masking(secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # What other libraries say of requests may hold what was sent in them.
    for name in ("urllib3", "httpx", "httpx2", "httpcore", "httpcore2", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)


class _Masking(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with its traceback if it has one, masked."""
        return mask(super().format(record), self._secrets)


def main(
    uri: str, directory: Path | None, environment: Mapping[str, str], *, pin: str, digest: str, parallel: int
) -> int:
    """Run the command and return its exit code: 0, 1 if asking again may help, 2 if it will not.

    Args:
        uri: Where the model is.
        directory: Where it goes; None to resolve only.
        environment: With the credentials.
        pin: What resolving said, or empty.
        digest: What the content must be, or empty.
        parallel: How many requests at the same time.
    """
    secrets = secrets_in(environment)
    set_up_logging(secrets)
    # The first process of a container ends by no signal that it does not handle.
    signal.signal(signal.SIGTERM, _stop)
    try:
        if directory is None:
            answer = resolve(uri, environment, Patience())
        else:
            answer = fetch(uri, directory, environment, pin_text=pin, digest=digest, parallel=parallel)
    except FetchFailed as failed:
        return _fail(failed, secrets)
    except RangeIgnored:
        return _fail(FetchFailed(Reason.INTERRUPTED, "The store sends the whole where a part was asked for."), secrets)
    except Exception as bug:
        logger.exception("unexpected")
        return _fail(FetchFailed(Reason.INTERRUPTED, f"Unexpected: {type(bug).__name__}: {bug}"), secrets)
    text = json.dumps(answer)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    leave_word(text)
    return 0


def _stop(*_: object) -> NoReturn:
    raise FetchFailed(Reason.INTERRUPTED, "The fetch was stopped; a restarted container goes on from here.")


def _fail(failed: FetchFailed, secrets: tuple[str, ...]) -> int:
    logger.error("%s: %s", failed.reason.value, failed.message)
    leave_word(describe_failure(failed, secrets))
    return failed.exit_code
