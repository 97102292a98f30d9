"""Cuts files into parts that are fetched at the same time, and says which of them are still missing.

Pure arithmetic on sizes in bytes.
"""

from collections.abc import Collection
from dataclasses import dataclass

PART_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a file: the bytes from ``start`` up to, without, ``end``."""

    index: int
    start: int
    end: int


def parts_of(size: int, part_bytes: int = PART_BYTES) -> tuple[Part, ...]:
    """Return the parts of a file: together all its bytes, each once, in order.

    Args:
        size: Size of the file in bytes, at least 0; an empty file has no parts.
        part_bytes: Size of all parts but the last, at least 1.
    """
    return tuple(
        Part(index=index, start=start, end=min(start + part_bytes, size))
        for index, start in enumerate(range(0, size, part_bytes))
    )


def missing(size: int, done: Collection[int], part_bytes: int = PART_BYTES) -> tuple[Part, ...]:
    """Return the parts that are not among the indices already done, in order."""
    return tuple(part for part in parts_of(size, part_bytes) if part.index not in done)
