"""Read training data column by column, from Parquet or CSV.

One column is in memory at a time where the format allows it. Knows files; must not know profiles.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_instrument.values import category_of, number_of


class BadTable(Exception):
    """Training data that cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The values of one column: numbers or categories."""

    name: str
    numbers: NDArray[np.float64] | None = None
    """Missing ones are NaN."""
    whole: bool = False
    """The numbers are integers by their type, so that they may stand for classes."""
    categories: Mapping[str, int] | None = None
    """How often each occurs, missing ones left out."""
    unusable: str = ""
    """Its type, if values of this type cannot be counted."""


def read_columns(path: Path) -> Iterator[Column]:
    """Yield the columns of a file, in its order.

    Raises:
        BadTable: the file is missing, empty or of an unknown format, or a package that reads it is not installed.
    """
    if not path.is_file():
        raise BadTable(f"there is no file {path}")
    if path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _csv(path)
    raise BadTable(f"{path} is neither .parquet nor .csv: write the training data as one of them")


def _parquet(path: Path) -> Iterator[Column]:
    try:
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise BadTable(
            "reading Parquet needs pyarrow: pip install 'serinus-instrument[profile]', or give the data as .csv"
        ) from error
    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        for name in names:
            yield _arrow_column(name, file.read(columns=[name]).column(0), pyarrow.types)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadTable(f"{path} cannot be read as Parquet: {error}") from error


def _arrow_column(name: str, column: Any, types: Any) -> Column:
    kind = column.type
    if types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        numbers = column.cast("float64", safe=False).to_numpy()
        return Column(name=name, numbers=numbers, whole=types.is_integer(kind))
    if types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind):
        found = ((category_of(each["values"].as_py()), each["counts"].as_py()) for each in column.value_counts())
        return Column(name=name, categories=_added(found))
    if types.is_null(kind):
        return Column(name=name, categories={})
    return Column(name=name, unusable=str(kind))


def _csv(path: Path) -> Iterator[Column]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        names = next(lines, [])
        rows = [line for line in lines if line]
    if not names or not rows:
        raise BadTable(f"{path} has no rows below a line with the columns' names")
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise BadTable(f"row {number} of {path} has {len(row)} values, and there are {len(names)} columns")
    for position, name in enumerate(names):
        yield _text_column(name, [row[position].strip() for row in rows])


def _text_column(name: str, texts: list[str]) -> Column:
    """Return numbers if all texts that are there are numbers, else categories."""
    there = [text for text in texts if text]
    if there and all(number_of(text) is not None or text.lower() == "nan" for text in there):
        numbers = np.array([float(text) if text else np.nan for text in texts])
        return Column(name=name, numbers=numbers, whole=all(text.lstrip("+-").isdecimal() for text in there))
    # Programs write True, TRUE or true; a server is handed a truth value.
    truths = {text.lower() for text in there} <= {"true", "false"}
    counted = Counter(text.lower() if truths else text for text in there)
    return Column(name=name, categories=_added((category_of(text), n) for text, n in counted.items()))


def _added(found: Any) -> Mapping[str, int]:
    added: Counter[str] = Counter()
    for name, count in found:
        if name is not None:
            added[name] += count
    return added
