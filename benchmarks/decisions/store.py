"""Results of replicates as JSON lines in a folder, one file per line of work; what is there is not run again."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
"""Plain JSON values; ``replicate`` is its number."""


class Store:
    """A folder of results. One process writes."""

    def __init__(self, folder: Path) -> None:
        """Open or make the folder."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, key: str, rows: Iterable[Row]) -> None:
        """Append rows."""
        with self._file(key).open("a") as file:
            file.writelines(json.dumps(each) + "\n" for each in rows)

    def rows(self, key: str) -> list[Row]:
        """Return the rows, by replicate; a line that was broken off is dropped."""
        file = self._file(key)
        found: dict[int, Row] = {}
        for line in file.read_text().splitlines() if file.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            found[row["replicate"]] = row
        return [found[replicate] for replicate in sorted(found)]

    def _file(self, key: str) -> Path:
        return self._folder / (re.sub(r"[^A-Za-z0-9.+-]+", "-", key) + ".jsonl")
