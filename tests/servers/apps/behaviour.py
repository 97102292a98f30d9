"""What every model under test does with a number."""

import time

SLOW, SLOW_SECONDS = 2.0, 0.8


def answer(value: float) -> float:
    """Return twice the value; ``SLOW`` takes ``SLOW_SECONDS``, a negative one raises."""
    if value < 0:
        raise RuntimeError("the model fails")
    if value == SLOW:
        time.sleep(SLOW_SECONDS)
    return value * 2
