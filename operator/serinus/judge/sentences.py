"""The words in which a verdict is told. Knows readings, decides nothing."""

from serinus.judge import words
from serinus.judge.readings.reading import Heard, Reading
from serinus.judge.readings.values import bounds


def because_of(reading: Reading) -> str:
    """Say what is known about one signal: counts, shares, evidence against its bound, effect with its error."""
    name = reading.signal.name
    if reading.heard is Heard.TOLD:
        return f"{name}: {reading.told}"
    return f"{name}: {reading.hearing.message}" + (f"; before: {reading.told}" if reading.told else "")


def summary_of(reading: Reading) -> str:
    """Say what is known about one signal that does not fail, and what its proof still needs."""
    if reading.safety is None or reading.heard is not Heard.TOLD:
        return because_of(reading)
    return f"{because_of(reading)}; safety {_safety(reading)} needed{still_needed(reading)}"


def accusation(reading: Reading) -> str:
    """Say why a signal rolls the canary back."""
    if reading.canary_pods != 1:
        return because_of(reading)
    return (
        f"{because_of(reading)}; the canary has one pod, so a bad pod cannot be told from a bad model: "
        "with two or more it could"
    )


def obstacle_of_proof(reading: Reading) -> str:
    """Say what the proof for promotion still needs."""
    return f"{reading.signal.name}: safety {_safety(reading)} needed{still_needed(reading)}"


def still_needed(reading: Reading) -> str:
    """Say how many requests, and how much time, the proof needs yet; nothing while that is unknown."""
    more = reading.more_requests
    if more is None or reading.proven or more > 1e9:
        return ""
    pace = reading.canary_requests / reading.course.interval_seconds
    time = f", {words.duration(more / pace)} at this traffic" if pace > 0.0 else ""
    return f"; about {words.about(more)} more canary requests at no worse rate{time}"


def obstacle_of_unrest(reading: Reading) -> str:
    """Say that evidence of harm, or a value out of bounds, is in the way."""
    if reading.out_of_bounds:
        return f"{reading.signal.name}: {reading.value:.6g} is out of bounds now ({bounds(reading.signal)})"
    return (
        f"{reading.signal.name}: evidence of harm is {words.evidence(reading.alarm)}, "
        f"and nothing is promoted from {words.evidence(reading.course.near)} on"
    )


def obstacle_of_silence(reading: Reading) -> str:
    """Say that a signal delivered nothing."""
    return f"{reading.signal.name}: {reading.hearing.message}"


def together(count: int, evidence: float, threshold: float) -> str:
    """Say what several signals weigh together."""
    return (
        f"all {count} Rollback signals together: "
        f"evidence {words.evidence(evidence)} of {words.evidence(threshold)} needed"
    )


def _safety(reading: Reading) -> str:
    return f"{words.evidence(reading.safety or 0.0)} of {words.evidence(reading.course.proof)}"
