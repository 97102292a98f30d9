import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.stats.autocorrelation import Autocorrelation


def of(values: list[float]) -> Autocorrelation:
    seen = Autocorrelation()
    for value in values:
        seen = seen.plus(value)
    return seen


@pytest.mark.parametrize("origin", [0.0, -5.0, 1e9])
def test_it_is_pearsons_correlation_of_neighbours(origin: float) -> None:
    values = [origin + each for each in (1.0, 2.0, 1.5, 4.0, 3.5, 3.0, 5.0)]
    assert of(values).estimate == pytest.approx(np.corrcoef(values[:-1], values[1:])[0, 1], rel=1e-6)


@pytest.mark.parametrize(
    "values", [[], [1.0, 2.0, 3.0], [7.3] * 50, [0.0, *[0.1] * 9], [1e300] * 9, [1e-320, 0.0, 1e-320, 0.0, 0.0]]
)
def test_too_few_values_or_a_constant_say_nothing(values: list[float]) -> None:
    assert of(values).estimate is None


@given(st.lists(st.floats(width=64), max_size=30))
def test_any_values_give_a_correlation(values: list[float]) -> None:
    seen = of(values)
    assert seen.values == sum(map(np.isfinite, values))
    assert seen.estimate is None or -1.0 <= seen.estimate <= 1.0
