"""Count what one model is asked, what it answers, and whether it was right.

One lock, taken once per call. Nothing here raises into the serving path or touches what passes by: what cannot be
counted is counted as trouble, told once in the log, and left alone. Knows no server, registry or file.
"""

import logging
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from serinus_instrument import names
from serinus_instrument.answers import Answers
from serinus_instrument.cells import Categories, Cells, Groups, Ignored, Numbers
from serinus_instrument.features import Features
from serinus_instrument.gating import gated
from serinus_instrument.inputs import read_inputs
from serinus_instrument.judging import is_right
from serinus_instrument.names import Metric
from serinus_instrument.outputs import Said, read_outputs, read_probabilities
from serinus_instrument.revisions import Revisions, own_revision
from serinus_instrument.settings import Settings
from serinus_instrument.trained import trained
from serinus_instrument.values import name_of

log = logging.getLogger("serinus_instrument")

ROWS_EDGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
BYTES_EDGES = tuple(4**power for power in range(4, 15))  # 256 bytes to 256 MiB
RIGHT, WRONG = "right", "wrong"
TROUBLES = ("input", "output", "outcome", "profile", "bound", "internal")


@dataclass(frozen=True, slots=True)
class Count:
    """A counter as it stands, or a constant."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram as it stands."""

    metric: Metric
    labels: tuple[str, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """Not cumulative, one more than edges."""
    total: float


class Recorder:
    """The counts of one model."""

    def __init__(self, model: str, settings: Settings | None = None) -> None:
        self.model = name_of(model)
        self.settings = settings or Settings()
        self.revision = own_revision()
        self.version = 0
        """Changes with every count."""
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._begin()
        _ALL.add(self)

    def declare(self, settings: Settings) -> None:
        """Take what is declared now; if it is something else than before, as for another model, begin from zero."""
        with self._lock:
            if settings != self.settings:
                self.settings = settings
                self._begin()

    def record(self, given: Any, answer: Any, probabilities: bool = False) -> None:
        """Count one call.

        Args:
            given: its input, rows or columns in any of the usual shapes.
            answer: what the model returned.
            probabilities: the answer is that of ``predict_proba``.
        """
        try:
            if gated():
                return
            settings = self.settings
            said = self._read(answer, probabilities)
            seen = read_inputs(given, said.rows, settings.width, settings.limits.features)
            with self._lock:
                self.version += 1
                self._rows.add(said.rows)
                self._answers.count(said)
                if seen is not None:
                    self._features.count(seen)
                elif settings.width is not None:
                    self._note("input", f"the features cannot be told apart in a {type(given).__name__}")
        except Exception as error:
            self.trouble("internal", f"a call could not be counted: {error!r}")

    def outcome(self, predicted: Any, truth: Any, revision: str | None = None) -> None:
        """Count whether a prediction was right, as soon as the truth is known.

        Args:
            predicted: what the model said.
            truth: what it should have said.
            revision: who predicted, from the answer's header ``X-Serinus-Revision``; None: this pod's.
        """
        try:
            result = RIGHT if is_right(predicted, truth, self.settings) else WRONG
            with self._lock:
                self.version += 1
                whose, forgotten = self._revisions.bounded(revision or self.revision)
                for each in (RIGHT, WRONG):
                    self._outcomes.setdefault((whose, each), 0)
                    self._outcomes.pop((forgotten or "", each), None)
                self._outcomes[whose, result] += 1
        except Exception as error:
            self.trouble("outcome", f"an outcome could not be counted: {error}")

    def request_bytes(self, size: int) -> None:
        """Count the size of a request's body."""
        if not gated():
            with self._lock:
                self.version += 1
                self._bytes.add(size)

    def trouble(self, reason: str, message: str) -> None:
        """Count that something could not be counted; tell it in the log the first time."""
        with self._lock:
            self._note(reason, message)

    def snapshot(self) -> tuple[Count | Histogram, ...]:
        """Return all counts, taken at one moment."""
        model = self.model
        with self._lock:
            missing = ((name, each.missing) for name, each in self._features if not isinstance(each, Ignored))
            return (
                Count(names.PREDICTIONS, (model,), self._answers.predictions),
                *_counts(names.PREDICTION, names.PREDICTED_CLASS, model, self._answers),
                *_counts(names.FEATURE, names.FEATURE_CATEGORY, model, self._features),
                *(Count(names.FEATURE_MISSING, (model, name), n) for name, n in missing),
                *(Count(names.IMPLAUSIBLE, (model, why), n) for why, n in self._answers.implausible.items()),
                *(Count(names.OUTCOMES, (model, *key), n) for key, n in self._outcomes.items()),
                _histogram(names.REQUEST_ROWS, (model,), self._rows),
                _histogram(names.REQUEST_BYTES, (model,), self._bytes),
                *(Count(names.TROUBLE, (model, reason), n) for reason, n in self._trouble.items()),
                *self._trained,
            )

    def _begin(self) -> None:
        self.version += 1
        self._trouble = dict.fromkeys(TROUBLES, 0)
        self._features = Features(self.settings, self._note)
        self._answers = Answers(self.settings, self._note)
        self._rows = Numbers(ROWS_EDGES)
        self._bytes = Numbers(BYTES_EDGES)
        self._trained = tuple(self._constants())
        self._revisions = Revisions(self.revision)
        self._outcomes = {(self.revision, RIGHT): 0, (self.revision, WRONG): 0}

    def _constants(self) -> Iterator[Count]:
        """Yield what the training profile says of all that is counted in its bins."""
        profile, said, seen = self.settings.profile, dict(self._answers), dict(self._features)
        learnt = {} if profile.prediction is None else {names.MAIN_OUTPUT: profile.prediction}
        features = {name_of(name): bins for name, bins in profile.features.items()}
        for found, cells, buckets, categories in (
            (learnt, said, names.TRAINING_PREDICTION, names.TRAINING_CLASS),
            (features, seen, names.TRAINING_FEATURE, names.TRAINING_CATEGORY),
        ):
            for name, bins in found.items():
                metric = buckets if bins.edges else categories
                for place, n in trained(bins, cells.get(name)):
                    yield Count(metric, (self.model, name, place), n)

    def _read(self, answer: Any, probabilities: bool) -> Said:
        if probabilities:
            return read_probabilities(answer, self.settings.classes, self._answers.numeric)
        return read_outputs(answer, self.settings.output, self.settings.limits.outputs)

    def _note(self, reason: str, message: str) -> None:
        self._trouble[reason] += 1
        if reason not in self._told:
            self._told.add(reason)
            log.warning("model %s: %s (%s; told once)", self.model, message, reason)


def _counts(
    histogram: Metric, counter: Metric, model: str, all_cells: Iterable[tuple[str, Cells]]
) -> Iterator[Count | Histogram]:
    for name, cells in all_cells:
        if isinstance(cells, Numbers):
            yield _histogram(histogram, (model, name), cells)
        elif isinstance(cells, Categories | Groups):
            yield from (Count(counter, (model, name, each), n) for each, n in cells.counts.items())


def _histogram(metric: Metric, labels: tuple[str, ...], cells: Numbers) -> Histogram:
    return Histogram(metric, labels, tuple(cells.edges), tuple(cells.counts), cells.total)


_ALL: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def _begin_all() -> None:
    # In a forked child: what the parent counted is the parent's, and a thread of it may have held the lock.
    for each in list(_ALL):
        each._lock = threading.Lock()
        each._begin()


os.register_at_fork(after_in_child=_begin_all)
