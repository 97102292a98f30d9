"""A line of the benchmark whose rows say their number; by itself, for each process of a run imports it anew."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Counting:
    key: str

    def rows(self, replicates: Sequence[int]) -> list[dict[str, object]]:
        return [{"replicate": each, "square": each**2} for each in replicates]
