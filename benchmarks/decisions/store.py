"""Results of replicates as JSON lines in a folder, one file per cell and policy; what is there is not run again."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from benchmarks.decisions.replicate import Result


class Store:
    """A folder of results. One process writes."""

    def __init__(self, folder: Path) -> None:
        """Open or make the folder."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, cell: str, results: Iterable[Result]) -> None:
        """Append results of a cell."""
        with self._file(cell).open("a") as file:
            file.writelines(json.dumps(each.to_wire()) + "\n" for each in results)

    def results(self, cell: str) -> list[Result]:
        """Return what is known of a cell, by replicate; a line that was broken off is dropped."""
        file = self._file(cell)
        found: dict[int, Result] = {}
        for line in file.read_text().splitlines() if file.exists() else ():
            try:
                result = Result(**json.loads(line))
            except ValueError:
                continue
            found[result.replicate] = result
        return [found[replicate] for replicate in sorted(found)]

    def note(self, name: str, value: object) -> None:
        """Write a JSON document beside the results."""
        (self._folder / f"{name}.json").write_text(json.dumps(value, indent=1))

    def noted(self, name: str) -> object:
        """Read a JSON document, None if there is none."""
        file = self._folder / f"{name}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def _file(self, cell: str) -> Path:
        return self._folder / (re.sub(r"[^A-Za-z0-9.+-]+", "-", cell) + ".jsonl")
