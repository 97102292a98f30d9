"""What a store says about its files. Plain values; knows no store in particular."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file as its store describes it. Empty text: the store does not say."""

    path: str
    """Where it goes below the model's directory."""
    key: str
    """How its store names it."""
    size: int
    """In bytes; -1 if the store does not say."""
    etag: str = ""
    """As the store sends it, with its quotes; changes whenever the content does."""
    version: str = ""
    """A name of exactly these bytes that stays true after the file was overwritten."""
    sha256: str = ""
    """64 hexadecimal digits."""
    git_blob: str = ""
    """Git's name for the content: SHA-1, 40 hexadecimal digits."""
    unpack: str | None = None
    """Not None: a tar archive (perhaps gzipped). Its files below this directory belong to the model, not itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands behind a URI now."""

    files: tuple[RemoteFile, ...]
    commit: str = ""
    """What names the whole, if the store has such a name: a commit, a manifest's digest, a model version."""
    sealed: bool = False
    """``commit`` names exactly these bytes for ever, so that nobody has to remember the files."""
    source: str = ""
    """Where the files really are, if the URI is a name for another place; may not hold secrets."""
