"""Numbers as people read them. Knows no signals."""

_TOO_LARGE = 1e5
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0


def percent(share: float) -> str:
    """Return a share in percent, with one decimal, or two digits where it is small."""
    value = share * 100.0
    digits = f"{value:.1f}" if abs(value) >= 0.1 or value == 0.0 else f"{value:.2g}"
    return f"{digits} %"


def evidence(value: float) -> str:
    """Return an e-value with one decimal; the exact size of a huge one tells nothing."""
    if value >= _TOO_LARGE:
        return f"over {_TOO_LARGE:,.0f}"
    text = f"{value:,.1f}"
    return text.removesuffix(".0") if value >= 10.0 else text


def about(requests: float) -> str:
    """Return a number of requests with two digits."""
    if requests > 1e6:
        return "a million or"
    if requests < 20:
        return f"{max(round(requests), 1):,}"
    size = 10 ** (len(str(int(requests))) - 2)
    return f"{round(requests / size) * size:,}"


def duration(seconds: float) -> str:
    """Return a time span in its natural unit."""
    if seconds < 1.5 * _MINUTE:
        return f"{max(seconds, 1.0):.0f} s"
    if seconds < 1.5 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2.0 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:,.0f} days" if seconds < 1_000.0 * _DAY else "years"


def seconds(value: float) -> str:
    """Return a latency in milliseconds."""
    return f"{value * 1000:.6g} ms"


def scatter(factor: float) -> str:
    """Return what tempers the evidence, with a semicolon before it; nothing where chance explains all."""
    if factor <= 1.0:
        return ""
    return f"; stable's pods scatter {factor:.1f} times as much as chance, which tempers the evidence"
