"""The command ``serinus-instrument``: write a training profile.

Knows arguments, files and what to tell a person; how edges are found is in ``training``.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serinus_instrument.profile import FILE_NAME, BadProfile, Bins, Profile, load_profile
from serinus_instrument.settings import Limits
from serinus_instrument.table import BadTable, Column, read_columns
from serinus_instrument.training import (
    FEWEST_BINS,
    MOST_BINS,
    MOST_CATEGORIES,
    histogram_of,
    looks_like_classes,
)

CONFIG_MAP_KEY = "profile.json"
LARGEST_CONFIG_MAP = 1_000_000
CATEGORIES = 50
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        profile, notes = make_profile(options)
        text = _as_config_map(options.config_map, profile) if options.config_map else _as_json(profile)
        if options.output == "-":
            sys.stdout.write(text)
        else:
            Path(options.output).write_text(text)
    except (BadTable, OSError) as error:
        sys.stderr.write(f"serinus-instrument: {error}\n")
        return 1
    for note in notes:
        sys.stderr.write(f"serinus-instrument: {note}\n")
    if options.output != "-":
        told = "with a prediction" if "prediction" in profile else "without a prediction"
        sys.stderr.write(f"wrote {options.output}: {len(profile.get('features', ()))} features, {told}\n")
    return 0


def make_profile(options: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Return the profile that the options ask for, and what a person should know about it.

    Raises:
        BadTable: the data cannot be read, or have no such column.
    """
    like = _older(options.like)
    prediction: Mapping[str, Any] | None = None
    features: dict[str, Mapping[str, Any]] = {}
    notes: list[str] = []
    seen: list[str] = []
    for column in read_columns(Path(options.data)):
        seen.append(column.name)
        if column.name in options.exclude:
            continue
        if column.unusable:
            notes.append(f"left out {column.name}: values of type {column.unusable} are neither numbers nor categories")
            continue
        bins = like.prediction if column.name == options.prediction else like.features.get(column.name)
        histogram = histogram_of(
            column,
            options.bins,
            options.categories,
            as_categories=_as_categories(column, options, bins),
            like=bins,
        )
        if histogram is None:
            notes.append(f"left out {column.name}: it has no value")
        elif column.name == options.prediction:
            prediction = histogram
        else:
            features[column.name] = histogram
    _check_named(options, seen)
    if len(features) > Limits().features:
        notes.append(f"a server counts {Limits().features} features unless told otherwise; leave some out by --exclude")
    profile: dict[str, Any] = {"schema": 1}
    if prediction is not None:
        profile["prediction"] = prediction
    if features:
        profile["features"] = features
    if len(profile) == 1:
        raise BadTable(f"no column of {options.data} is left that could be counted")
    return profile, notes


def _older(path: str | None) -> Profile:
    if path is None:
        return Profile()
    try:
        return load_profile(path)
    except BadProfile as error:
        raise BadTable(f"{path}: {error}") from error


def _as_categories(column: Column, options: argparse.Namespace, like: Bins | None) -> bool:
    if like is not None:
        return bool(like.categories)
    if column.name in options.numeric:
        return False
    if column.name in options.categorical:
        return True
    return column.name == options.prediction and looks_like_classes(column)


def _check_named(options: argparse.Namespace, seen: Sequence[str]) -> None:
    named = [*options.exclude, *options.categorical, *options.numeric]
    if options.prediction is not None:
        named.append(options.prediction)
    unknown = [name for name in named if name not in seen]
    if unknown:
        raise BadTable(f"{options.data} has no column {unknown[0]!r}; it has {', '.join(seen)}")


def _as_json(profile: Mapping[str, Any]) -> str:
    """Return the profile with a line per histogram, so that a person can read a change of it."""
    parts = ['"schema": 1']
    if "prediction" in profile:
        parts.append(f'"prediction": {json.dumps(profile["prediction"])}')
    if "features" in profile:
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in profile["features"].items())
        parts.append(f'"features": {{\n{lines}\n}}')
    return "{" + ",\n".join(parts) + "}\n"


def _as_config_map(name: str, profile: Mapping[str, Any]) -> str:
    if not _NAME.fullmatch(name):
        raise BadTable(f"{name!r} is no name of a ConfigMap: use lower-case letters, digits and hyphens")
    text = _as_json(profile)
    if len(text.encode()) > LARGEST_CONFIG_MAP:
        raise BadTable("the profile is too large for a ConfigMap: take fewer --categories, or leave columns out")
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  {CONFIG_MAP_KEY}: |\n{indented}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="serinus-instrument", description="Training profiles for model servers.")
    commands = parser.add_subparsers(dest="command", required=True)
    profile = commands.add_parser("profile", help="write the profile of training data", description=__doc__)
    profile.add_argument("data", help="the training data, .parquet or .csv")
    profile.add_argument("-o", "--output", default=FILE_NAME, help=f"file to write, - for the output; {FILE_NAME}")
    profile.add_argument("--prediction", metavar="COLUMN", help="column of what the model predicts")
    profile.add_argument("--bins", type=_bounded(FEWEST_BINS, MOST_BINS), default=10, help="buckets of a number; 10")
    profile.add_argument(
        "--categories", type=_bounded(1, MOST_CATEGORIES), default=CATEGORIES, help="most per column; 50"
    )
    profile.add_argument("--exclude", metavar="COLUMN", action="append", default=[], help="leave a column out")
    profile.add_argument("--categorical", metavar="COLUMN", action="append", default=[], help="its numbers are codes")
    profile.add_argument("--numeric", metavar="COLUMN", action="append", default=[], help="its integers are no classes")
    profile.add_argument("--like", metavar="PROFILE", help="take edges and categories from an older profile")
    profile.add_argument("--config-map", metavar="NAME", help="write a Kubernetes ConfigMap that holds the profile")
    return parser


def _bounded(lowest: int, highest: int) -> Any:
    def number(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"give a number from {lowest} to {highest}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
