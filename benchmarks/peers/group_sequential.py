"""Constants of group-sequential tests on a normal statistic, by numerical integration.

Source: Armitage, McPherson & Rowe (1969); Jennison & Turnbull, "Group Sequential Methods" (1999), chapters 2 and 19.
The density of the running sum over paths that have not been stopped is carried from look to look on a grid. Serves to
check that repeated looks are accounted for rightly; Pocock's constant boundary is what ``Poc*`` is modelled on.
"""

from enum import StrEnum
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

# Gauss-Legendre nodes: 80 give ten digits for a handful of looks.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)


class Shape(StrEnum):
    """How the boundary for the standardised statistic runs over the looks."""

    POCOCK = "Pocock"
    """Constant."""
    OBRIEN_FLEMING = "O'Brien-Fleming"
    """Proportional to ``1 / sqrt(look)``, scaled so that the constant is that of the last look."""


def crossing_probability(bounds: Floats) -> float:
    """Return the chance under the null that ``|S_k| / sqrt(k)`` exceeds ``bounds[k - 1]`` at some equally spaced look.

    Args:
        bounds: for the standardised statistic, positive, shape (looks,).
    """
    limits = bounds * np.sqrt(np.arange(1, len(bounds) + 1))
    points, weights = np.zeros(1), np.ones(1)
    for limit in limits[:-1]:
        grid = _NODES * limit
        kernel = np.exp(-0.5 * (grid[:, None] - points[None, :]) ** 2) / sqrt(2.0 * np.pi)
        points, weights = grid, (kernel @ weights) * _WEIGHTS * limit
    inside = ndtr(limits[-1] - points) - ndtr(-limits[-1] - points)
    return float(1.0 - inside @ weights)


def constant(looks: int, alpha: float, shape: Shape) -> float:
    """Return the constant of a two-sided boundary that errs with probability ``alpha`` over all looks together."""
    numbers = np.arange(1, looks + 1)
    profile = np.ones(looks) if shape is Shape.POCOCK else np.sqrt(looks / numbers)
    low, high = 1.0, 6.0
    while high - low > 1e-9:
        middle = (low + high) / 2.0
        low, high = (middle, high) if crossing_probability(middle * profile) > alpha else (low, middle)
    return high
