"""Say whether a prediction was right, once the truth is known.

Knows single values only; must not know metrics, revisions or how outcomes arrive.
"""

import math
from typing import Any

from serinus_instrument.settings import Settings
from serinus_instrument.values import category_of, number_of


class Unjudged(ValueError):
    """An outcome of which nobody can say whether it was right; the message says what to do."""


def is_right(predicted: Any, truth: Any, settings: Settings) -> bool:
    """Return whether a prediction was right.

    With a threshold, if both are on the same side of it. Numbers, if they are within the tolerance; all else, if equal.

    Args:
        predicted: what the model said; what is missing or NaN is wrong.
        truth: what it should have said.
        settings: of the model.

    Raises:
        Unjudged: there is no truth, or a fraction is compared and nothing says how far from the truth it may be. Such
            scores would all be wrong, those of a good model as those of a bad one.
    """
    if category_of(truth) is None:
        raise Unjudged("there is no truth: send an outcome when it is known")
    one, other = (None if isinstance(predicted, str) else number_of(predicted)), number_of(truth)
    if settings.threshold is not None:
        if other is None:
            raise Unjudged(f"with threshold={settings.threshold:g} the truth is 0 or 1")
        return one is not None and (one >= settings.threshold) == (other >= settings.threshold)
    if one is None or other is None:
        return category_of(predicted) == category_of(truth)
    if not settings.tolerance and math.isfinite(one) and not one.is_integer():
        raise Unjudged(
            f"predicted is {one:.9g}, which is no class: give instrument() or declare() threshold=0.5 for scores, "
            "or tolerance= for numbers"
        )
    return abs(one - other) <= settings.tolerance or math.isclose(one, other, rel_tol=1e-12)
