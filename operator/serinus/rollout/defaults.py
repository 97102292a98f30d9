"""What a signal accepts and does when nobody said: the same in a cluster and in a recorded run.

Knows kinds of signals. Must not know where a signal was written.
"""

from collections.abc import Mapping
from types import MappingProxyType

from serinus.rollout.types import SignalKind

DEFAULT_MARGINS: Mapping[SignalKind, float] = MappingProxyType(
    {
        SignalKind.ERRORS: 0.005,
        SignalKind.CLIENT_ERRORS: 0.01,
        SignalKind.ACCURACY: 0.01,
        SignalKind.IMPLAUSIBLE: 0.001,
        SignalKind.LATENCY: 0.02,
        SignalKind.PREDICTION_DRIFT: 0.1,
        SignalKind.FEATURE_DRIFT: 0.1,
        SignalKind.COMPARISON: 0.1,
    }
)
"""Rates: shares; drift: PSI; Comparison: share of stable's value."""
HOLDING_KINDS = frozenset(
    {SignalKind.CLIENT_ERRORS, SignalKind.PREDICTION_DRIFT, SignalKind.FEATURE_DRIFT, SignalKind.COMPARISON}
)
"""Kinds whose evidence holds by default: a person may well want what changed."""
