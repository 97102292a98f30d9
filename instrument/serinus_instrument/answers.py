"""Count the answers of a model: how many, of what value, and which of them cannot be true.

Knows outputs with names; must not know locks, metrics or inputs.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from serinus_instrument.cells import DEFAULT_EDGES, Cells, Numbers, declared_cells, fitting
from serinus_instrument.names import MAIN_OUTPUT
from serinus_instrument.outputs import Said
from serinus_instrument.plausible import ANYTHING, REASONS
from serinus_instrument.settings import Settings
from serinus_instrument.values import category_of, name_of


class Answers:
    """The counts of all outputs."""

    def __init__(self, settings: Settings, note: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._note = note
        self._cells: dict[str, Cells] = {}
        self.predictions = 0
        self.implausible = dict.fromkeys(REASONS, 0)
        """Predictions that cannot be true, each under one reason."""
        declared = settings.plausible is not None and settings.plausible.classes is not None
        if settings.profile.prediction is not None or declared:
            self._cells[MAIN_OUTPUT] = self._new(MAIN_OUTPUT, Said(0), ())

    def __iter__(self) -> Iterator[tuple[str, Cells]]:
        """Yield the name and the cells of each output."""
        return iter(self._cells.items())

    @property
    def numeric(self) -> bool | None:
        """Return whether the main output is a number, None as long as nobody knows."""
        main = self._cells.get(MAIN_OUTPUT)
        return None if main is None else isinstance(main, Numbers)

    def count(self, said: Said) -> None:
        """Count the answers of a call."""
        self.predictions += said.rows
        if not said.outputs and said.rows:
            self._note("output", "the answers are no numbers or classes, so only their number is counted")
        for name, values in said.outputs:
            label = name_of(name)
            cells = self._cells.get(label)
            if cells is None:
                cells = self._open(label, said, values)
            for value in values:
                cells.add(value)
            # Only the main output is what the model is there for; a message beside it may well be absent.
            if name == MAIN_OUTPUT:
                self._judge(values, isinstance(cells, Numbers))

    def _judge(self, values: Sequence[Any], numeric: bool) -> None:
        plausible = self._settings.plausible or ANYTHING
        for value in values:
            reason = plausible.why_not(value, numeric)
            if reason is not None:
                self.implausible[reason] += 1

    def _open(self, name: str, said: Said, values: Sequence[Any]) -> Cells:
        # One place is kept for the main output, which may come after others.
        if len(self._cells) >= self._settings.limits.outputs and name != MAIN_OUTPUT:
            self._note("bound", f"there are more than {self._settings.limits.outputs} outputs; {name!r} is not counted")
            return self._new(name, said, values)
        cells = self._cells[name] = self._new(name, said, values)
        return cells

    def _new(self, name: str, said: Said, values: Sequence[Any]) -> Cells:
        """Decide how an output is counted: as something declared says, else as its first value looks.

        Whole numbers are numbers here as everywhere, unless they are declared to be classes: whether a pod's first
        answer is 0 or 0.3 must not part it from its fellows.
        """
        main, limits = name == MAIN_OUTPUT, self._settings.limits
        bins = self._settings.profile.prediction if main else None
        if bins is not None:
            return Numbers(bins.edges) if bins.edges else declared_cells(bins.categories, limits)
        plausible = (self._settings.plausible or ANYTHING) if main else ANYTHING
        if plausible.classes is not None:
            return declared_cells(plausible.classes, limits)
        if plausible.is_range or said.scores:
            return Numbers(DEFAULT_EDGES)
        if main and self._settings.classes:
            return declared_cells(filter(None, map(category_of, self._settings.classes)), limits)
        return fitting(next((each for each in values if category_of(each) is not None), 0.0), limits)
