"""Count what a model is asked and what it answers, under names that Serinus and Prometheus read.

One line is enough: ``model = instrument(model)``.
"""

from serinus_instrument.asgi import InstrumentMiddleware
from serinus_instrument.declare import declare
from serinus_instrument.exposition import flush
from serinus_instrument.gating import uncounted
from serinus_instrument.plausible import Plausible
from serinus_instrument.profile import BadProfile, Profile, load_profile
from serinus_instrument.recorder import Recorder
from serinus_instrument.revisions import own_revision
from serinus_instrument.settings import Limits
from serinus_instrument.wrap import instrument, observed, recorder_behind

__all__ = [
    "BadProfile",
    "InstrumentMiddleware",
    "Limits",
    "Plausible",
    "Profile",
    "Recorder",
    "declare",
    "flush",
    "instrument",
    "load_profile",
    "observed",
    "outcome",
    "own_revision",
    "recorder_behind",
    "uncounted",
]


def outcome(predicted: object, truth: object, revision: str | None = None, *, name: str | None = None) -> None:
    """Count whether a prediction was right, as soon as the truth is known.

    Args:
        predicted: what the model said.
        truth: what it should have said.
        revision: who predicted, from the answer's header ``X-Serinus-Revision``; this pod's if absent.
        name: the model's name; ``$SERINUS_MODEL`` if absent.
    """
    from serinus_instrument.declare import model_name  # noqa: PLC0415
    from serinus_instrument.exposition import recorder_of  # noqa: PLC0415

    recorder_of(model_name(name)).outcome(predicted, truth, revision)
