"""Read a training profile: the edges and categories in which the training data were counted.

The same JSON is the reference of Serinus' drift signals; counting in its edges makes both comparable. Knows where a
profile lies beside a model. Must not know what is counted.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

FILE_NAME = "serinus-profile.json"
FILE_VARIABLE = "SERINUS_PROFILE"
FOLDER_VARIABLES = ("SERINUS_MODEL_DIR", "MLSERVER_MODEL_URI", "STORAGE_URI")
DEFAULT_FOLDER = "/mnt/models"
"""Where Serinus mounts a fetched model unless ``model.mountPath`` says otherwise."""
MOST_BUCKETS = 200


class BadProfile(ValueError):
    """A file that is no training profile; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """How one input or output is counted: between finite upper ``edges``, ascending, or by ``categories``."""

    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    """Of the training data: per category, or per bucket, not cumulative, one more than edges; empty: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The bins of a model's predictions and inputs."""

    prediction: Bins | None = None
    features: Mapping[str, Bins] = field(default_factory=dict)
    """By name, in the order of the training data's columns."""


def read_profile(text: str) -> Profile:
    """Read a profile of schema 1.

    Raises:
        BadProfile: the text is none.
    """
    try:
        body = json.loads(text)
    except ValueError as error:
        raise BadProfile(f"the training profile is no JSON: {error}") from error
    if not isinstance(body, dict) or body.get("schema") != 1:
        raise BadProfile('the training profile has no "schema": 1; write it with `serinus-instrument profile`')
    prediction, features = body.get("prediction"), body.get("features")
    if features is not None and not isinstance(features, dict):
        raise BadProfile("features of the training profile is no object with a histogram per name")
    return Profile(
        prediction=None if prediction is None else _bins("prediction", prediction),
        features={str(name): _bins(f"features.{name}", each) for name, each in (features or {}).items()},
    )


def load_profile(given: "str | os.PathLike[str] | Mapping[str, Any] | Profile") -> Profile:
    """Return a profile from a file, or from what was in one.

    Raises:
        BadProfile: it is none.
        OSError: the file cannot be read.
    """
    if isinstance(given, Profile):
        return given
    return read_profile(json.dumps(given) if isinstance(given, Mapping) else Path(given).read_text())


def find_profile(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the profile that lies beside the model, None if there is none.

    It is the file of ``$SERINUS_PROFILE``, else ``serinus-profile.json`` in ``$SERINUS_MODEL_DIR``, in the folder that
    the model server was told, or in ``/mnt/models``.
    """
    variables = os.environ if environment is None else environment
    if variables.get(FILE_VARIABLE):
        return Path(variables[FILE_VARIABLE])
    folders = [*(variables[each] for each in FOLDER_VARIABLES if variables.get(each)), DEFAULT_FOLDER]
    candidates = [Path(folder) / FILE_NAME for folder in folders if "://" not in folder]
    return next((path for path in candidates if path.is_file()), None)


def _bins(where: str, body: Any) -> Bins:
    if not isinstance(body, dict):
        raise BadProfile(f"{where} of the training profile is no object with edges and counts, or categories")
    edges, categories = body.get("edges"), body.get("categories")
    if (edges is None) == (categories is None):
        raise BadProfile(f"{where} of the training profile has to have either edges and counts, or categories")
    if categories is not None:
        if not isinstance(categories, dict) or not 1 <= len(categories) <= MOST_BUCKETS:
            raise BadProfile(f"{where}.categories of the training profile is no object of 1 to {MOST_BUCKETS} counts")
        ordered = sorted((str(name), count) for name, count in categories.items())
        counts = _counts(where, [count for _, count in ordered])
        return Bins(categories=tuple(name for name, _ in ordered), counts=counts)
    try:
        numbers = tuple(float(each) for each in edges or ())
    except (TypeError, ValueError):
        numbers = ()
    ascending = all(lower < upper for lower, upper in pairwise(numbers))
    if not 1 <= len(numbers) <= MOST_BUCKETS or not ascending or not all(map(math.isfinite, numbers)):
        raise BadProfile(f"{where}.edges of the training profile are not 1 to {MOST_BUCKETS} ascending numbers")
    counts = () if body.get("counts") is None else _counts(where, body["counts"])
    if counts and len(counts) != len(numbers) + 1:
        raise BadProfile(f"{where}.counts of the training profile are not one more than its edges")
    return Bins(edges=numbers, counts=counts)


def _counts(where: str, given: Any) -> tuple[int, ...]:
    whole = isinstance(given, list) and all(
        type(each) in (int, float) and 0 <= each < math.inf and each == int(each) for each in given
    )
    if not whole:
        raise BadProfile(f"{where} of the training profile has counts that are no whole numbers from 0 on")
    return tuple(map(int, given))
