"""Turn what a user declares about a model into settings. Reads the environment and the profile's file."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from serinus_instrument.exposition import recorder_of
from serinus_instrument.names import OTHER
from serinus_instrument.plausible import Declared, Plausible, make_plausible
from serinus_instrument.profile import BadProfile, Profile, find_profile, load_profile
from serinus_instrument.recorder import Recorder
from serinus_instrument.settings import Limits, Settings

MODEL_VARIABLE = "SERINUS_MODEL"
DEFAULT_MODEL = "model"


def model_name(name: str | None = None) -> str:
    """Return a model's name: the given one, else that of ``$SERINUS_MODEL``, else ``model``."""
    return name or os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL


def declare(
    name: str | None = None,
    *,
    profile: str | os.PathLike[str] | Mapping[str, Any] | Profile | None = None,
    plausible: Declared = None,
    features: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    output: str | None = None,
    classes: Sequence[Any] | None = None,
    tolerance: float = 0.0,
    threshold: float | None = None,
    limits: Limits | None = None,
    folder: str | os.PathLike[str] | None = None,
    registry: CollectorRegistry | None = None,
) -> Recorder:
    """Return the recorder of a model, with what is declared about it.

    Args:
        name: label ``model`` of all its metrics; ``$SERINUS_MODEL`` if absent.
        profile: the training profile: its file, or what was read from it; if absent, the one beside the model.
        plausible: the range of its predictions, as a tuple, or its classes, as a list; if absent, the classes of the
            profile.
        features: names of its inputs by position.
        exclude: names of inputs that are not counted.
        output: name of the main output, where it answers with several by name.
        classes: names of its classes, in the order of the columns of ``predict_proba``.
        tolerance: a predicted number at most this far from the truth is right.
        threshold: predictions are scores, and from here on they say yes; the truth is then 0 or 1.
        limits: how many series it may have.
        folder: where the model lies, if the server knows better than the environment.
        registry: where its counts are shown; the default one if absent.

    Raises:
        BadProfile: the given profile is none. One that is only found is told in the log and left alone.
        ValueError: ``plausible``, ``tolerance`` or ``threshold`` can't be understood.
        OSError: the given profile cannot be read.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance!r}: give the largest distance from the truth that is still right")
    if threshold is not None and (tolerance or not math.isfinite(threshold)):
        raise ValueError(f"threshold={threshold!r}: give the score from which on it says yes, and no tolerance with it")
    found, fault = _profile(profile, folder)
    settings = Settings(
        profile=found,
        plausible=_plausible(plausible, found),
        features=None if features is None else tuple(map(str, features)),
        output=output,
        classes=None if classes is None else tuple(classes),
        tolerance=float(tolerance),
        threshold=None if threshold is None else float(threshold),
        limits=limits or Limits(),
        exclude=_names(exclude),
    )
    recorder = recorder_of(model_name(name), settings, registry)
    if fault:
        recorder.trouble("profile", fault)
    return recorder


def _names(given: Iterable[str]) -> frozenset[str]:
    if isinstance(given, str):
        raise ValueError(f"exclude={given!r}: give a list of names")
    return frozenset(map(str, given))


def _profile(
    given: str | os.PathLike[str] | Mapping[str, Any] | Profile | None, folder: str | os.PathLike[str] | None
) -> tuple[Profile, str]:
    if given is not None:
        return load_profile(given), ""
    environment = dict(os.environ) if folder is None else {**os.environ, "SERINUS_MODEL_DIR": os.fspath(folder)}
    path: Path | None = find_profile(environment)
    if path is None:
        return Profile(), ""
    try:
        return load_profile(path), ""
    except (BadProfile, OSError) as error:
        # Nobody asked for it by name, so a server that serves goes on serving.
        return Profile(), f"{path} was found and cannot be used: {error}"


def _plausible(declared: Declared, profile: Profile) -> Plausible | None:
    made = make_plausible(declared)
    known = profile.prediction.categories if profile.prediction else ()
    # A model cannot know a class that it was not trained with, unless the profile left some out.
    if made is None and known and OTHER not in known:
        return Plausible(classes=frozenset(known))
    return made
