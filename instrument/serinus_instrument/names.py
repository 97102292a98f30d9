"""The metrics: their names, labels and meaning, once and for all.

Dashboards, alerts and Serinus' preset rely on them, so names and labels only ever get more. Knows no values.
"""

from dataclasses import dataclass
from enum import StrEnum

MAIN_OUTPUT = "prediction"
"""Label ``output`` of what the model is there for; its other outputs have their own names."""
OTHER = "__other__"
"""Stands for all values that came when a label had as many as it may have."""
UNKNOWN_REVISION = "unknown"
"""Label ``revision`` outside of Serinus, where nobody says which one it is."""

GATE_HEADER = "X-Serinus-Gate"
"""Marks requests of a rollout's gates; they are no traffic and not counted."""
REVISION_HEADER = "X-Serinus-Revision"
"""Of an answer: the revision that predicted. Whoever learns the truth later hands it back with it."""
REVISION_VARIABLE = "SERINUS_REVISION"
"""Environment variable with the revision of this pod; set by the operator."""


class Kind(StrEnum):
    """How a metric is exported."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric family."""

    name: str
    """Of a counter without ``_total``, of a histogram without ``_bucket``."""
    kind: Kind
    labels: tuple[str, ...]
    means: str
    feeds: str
    """The kinds of signal that read it, empty if none does."""

    @property
    def exported(self) -> str:
        """Return the name as Prometheus has it, of a histogram that of its buckets."""
        return self.name + {Kind.COUNTER: "_total", Kind.HISTOGRAM: "_bucket", Kind.GAUGE: ""}[self.kind]


def _counter(name: str, labels: str, means: str, feeds: str = "") -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, labels=tuple(labels.split()), means=means, feeds=feeds)


def _histogram(name: str, labels: str, means: str, feeds: str = "") -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, labels=tuple(labels.split()), means=means, feeds=feeds)


def _constant(name: str, labels: str, means: str, feeds: str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, labels=tuple(labels.split()), means=means, feeds=feeds)


PREDICTIONS = _counter("serinus_predictions", "model", "Predictions made, one per row.", "Implausible")
PREDICTION = _histogram("serinus_prediction", "model output", "Numeric outputs.", "PredictionDrift")
PREDICTED_CLASS = _counter(
    "serinus_predicted_class", "model output class", "Outputs that are classes.", "PredictionDrift"
)
FEATURE = _histogram("serinus_feature", "model feature", "Values of a numeric input.", "FeatureDrift")
FEATURE_CATEGORY = _counter(
    "serinus_feature_category", "model feature category", "Values of a categorical input.", "FeatureDrift"
)
TRAINING_PREDICTION = _constant(
    "serinus_training_prediction_bucket",
    "model output le",
    "Numeric outputs in the training profile, cumulative; constant.",
    "PredictionDrift",
)
TRAINING_CLASS = _constant(
    "serinus_training_predicted_class",
    "model output class",
    "Classes in the training profile; constant.",
    "PredictionDrift",
)
TRAINING_FEATURE = _constant(
    "serinus_training_feature_bucket",
    "model feature le",
    "A numeric input in the training profile, cumulative; constant.",
    "FeatureDrift",
)
TRAINING_CATEGORY = _constant(
    "serinus_training_feature_category",
    "model feature category",
    "A categorical input in the training profile; constant.",
    "FeatureDrift",
)
FEATURE_MISSING = _counter(
    "serinus_feature_missing",
    "model feature",
    "Inputs that were absent: None, NaN, or no number where one is expected.",
)
IMPLAUSIBLE = _counter(
    "serinus_implausible_predictions",
    "model reason",
    "Predictions whose main output is outside the declared range or classes, or no number.",
    "Implausible",
)
OUTCOMES = _counter(
    "serinus_outcomes",
    "model revision result",
    "Predictions whose truth became known, by the revision that predicted: right or wrong.",
    "Accuracy",
)
REQUEST_ROWS = _histogram("serinus_request_rows", "model", "Rows per call.")
REQUEST_BYTES = _histogram("serinus_request_bytes", "model", "Size of request bodies, in bytes.")
TROUBLE = _counter(
    "serinus_instrument_errors", "model reason", "Things that could not be counted; the prediction was not touched."
)

METRICS = (
    PREDICTIONS,
    PREDICTION,
    PREDICTED_CLASS,
    FEATURE,
    FEATURE_CATEGORY,
    FEATURE_MISSING,
    IMPLAUSIBLE,
    OUTCOMES,
    REQUEST_ROWS,
    REQUEST_BYTES,
    TROUBLE,
    TRAINING_PREDICTION,
    TRAINING_CLASS,
    TRAINING_FEATURE,
    TRAINING_CATEGORY,
)
