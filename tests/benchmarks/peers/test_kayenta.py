"""Kayenta's judge: its own published test values to all digits, and the rules around them.

Values: spinnaker/kayenta, ``MannWhitneySuite`` ("returns expected values", "tie out with R version", "tie out
intermediate variables"). Samples are told as values and how often they occur: ranks do not depend on the order.
"""

import numpy as np
import pytest
from benchmarks.decisions.policy import NEVER, Conditions
from benchmarks.peers.kayenta import K10, Label, brent, classify, fails, location_shift, score, standardised

from support.peer_streams import first_rollback, poisson

COUNTED_CONTROL = {
    1.5: 2,
    2.0: 16,
    2.5: 18,
    3.0: 16,
    3.5: 10,
    4.0: 8,
    4.5: 4,
    5.0: 6,
    5.5: 2,
    6.0: 5,
    8.0: 1,
    15.5: 1,
    54.5: 1,
}
COUNTED_EXPERIMENT = {
    1.5: 9,
    2.0: 16,
    2.5: 22,
    3.0: 17,
    3.5: 9,
    4.0: 5,
    4.5: 1,
    5.0: 3,
    5.5: 1,
    6.0: 2,
    6.5: 2,
    7.0: 1,
    7.5: 1,
    16.5: 1,
}
# Percent of errors per minute: most minutes have none, and the last digits of the rest decide nothing.
PERCENT_CONTROL = {
    0.0: 193,
    1.3888888888888857: 1,
    1.470588235294116: 1,
    1.492537313432834: 3,
    1.5384615384615614: 1,
    1.5625000000000142: 1,
    1.5873015873015817: 1,
    1.6393442622950687: 1,
    1.6949152542373014: 1,
    1.7241379310344769: 1,
    1.754385964912288: 1,
    1.7857142857142776: 1,
    1.8518518518518619: 1,
    2.5000000000000284: 1,
    2.9850746268656536: 1,
    3.124999999999986: 1,
}
PERCENT_EXPERIMENT = {
    0.0: 146,
    1.234567901234584: 1,
    1.3333333333333286: 1,
    1.3513513513513544: 1,
    1.3698630136986196: 1,
    1.3888888888888857: 1,
    1.4285714285714164: 2,
    1.4285714285714448: 1,
    1.4492753623188293: 1,
    1.470588235294116: 1,
    1.5151515151515156: 2,
    1.5625: 2,
    1.5625000000000142: 1,
    1.5873015873015817: 1,
    1.6129032258064484: 1,
    1.6393442622950687: 2,
    1.6666666666666572: 2,
    1.6666666666666714: 1,
    1.6949152542372872: 1,
    1.7241379310344769: 2,
    1.7543859649122737: 1,
    1.754385964912288: 1,
    1.7857142857142776: 1,
    1.818181818181813: 4,
    1.8518518518518476: 3,
    1.8518518518518619: 2,
    1.8867924528301785: 1,
    1.8867924528301927: 2,
    1.9230769230769198: 1,
    1.9607843137255117: 2,
    2.0000000000000284: 1,
    2.040816326530603: 2,
    2.439024390243887: 1,
    2.564102564102555: 1,
    2.702702702702709: 1,
    2.8169014084507182: 1,
    2.985074626865682: 1,
    3.0303030303030454: 1,
    3.125000000000014: 1,
    3.1746031746031633: 1,
    3.225806451612911: 1,
    3.333333333333343: 2,
    3.3898305084745743: 1,
    3.4482758620689538: 1,
    3.5714285714285836: 1,
    3.703703703703681: 1,
    4.081632653061206: 1,
    4.1095890410959015: 1,
    5.555555555555557: 1,
}


def sample(how_often):
    return np.repeat(np.array(list(how_often)), list(how_often.values()))


class TestLocationShift:
    @pytest.mark.parametrize(
        ("experiment", "control", "low", "high", "estimate"),
        [
            pytest.param(
                dict.fromkeys((10.0, 20.0, 30.0, 40.0), 1),
                dict.fromkeys((1.0, 2.0, 3.0, 4.0), 1),
                6.0,
                39.0,
                22.5,
                id="four points",
            ),
            pytest.param(
                COUNTED_EXPERIMENT, COUNTED_CONTROL, -0.500002521696696, -3.486287505871302e-5, None, id="many ties"
            ),
            pytest.param(
                PERCENT_EXPERIMENT,
                PERCENT_CONTROL,
                3.521755377702165e-5,
                2.02456461662334e-5,
                2.6279243045155653e-5,
                id="many zeros",
            ),
        ],
    )
    def test_is_the_published_one(self, experiment, control, low, high, estimate):
        shift = location_shift(sample(experiment), sample(control), confidence=0.95)
        assert shift.low == pytest.approx(low, abs=1e-12)
        assert shift.high == pytest.approx(high, abs=1e-12)
        if estimate is not None:
            assert shift.estimate == pytest.approx(estimate, abs=1e-12)

    @pytest.mark.parametrize(
        ("shift", "quantile", "value"),
        [
            (-3.124999999999986, 1.9599639845400536, 17.090968923762254),
            (5.555555555555557, 1.9599639845400536, -20.997687930433106),
            (-3.124999999999986, -1.9599639845400536, 21.01089689284236),
            (5.555555555555557, -1.9599639845400536, -17.077759961353),
        ],
    )
    def test_comes_from_the_published_statistic(self, shift, quantile, value):
        found = standardised(shift, sample(PERCENT_EXPERIMENT), sample(PERCENT_CONTROL)) - quantile
        assert found == pytest.approx(value, abs=1e-9)

    def test_moves_with_the_points(self):
        x, y = np.array([3.0, 5.5, 7.0, 9.0, 2.0]), np.array([1.0, 4.0, 6.0, 2.5])
        assert location_shift(x + 10.0, y).estimate == pytest.approx(location_shift(x, y).estimate + 10.0, abs=2e-4)


class TestBrent:
    @pytest.mark.parametrize(
        ("function", "low", "high", "root"),
        [
            (lambda x: x**3 - 2.0, 0.0, 3.0, 2.0 ** (1.0 / 3.0)),
            (lambda x: np.cos(x) - x, 0.0, 1.0, 0.7390851332151607),
            (lambda x: 1.0 if x > 0.3 else -1.0, 0.0, 1.0, 0.3),
            (lambda x: x, 0.0, 1.0, 0.0),
            (lambda x: x - 1.0, 0.0, 1.0, 1.0),
        ],
    )
    def test_finds_roots_and_jumps_within_its_tolerance(self, function, low, high, root):
        assert brent(function, low, high) == pytest.approx(root, abs=1e-4)


class TestMetric:
    @pytest.mark.parametrize(
        ("canary", "baseline", "label"),
        [
            pytest.param([], [1.0, 2.0], Label.NO_DATA, id="no canary"),
            pytest.param([1.0], [], Label.NO_DATA, id="no baseline"),
            pytest.param([3.0, 1.0, 2.0], [1.0, 2.0, 3.0], Label.PASS, id="same values"),
            pytest.param([0.0] * 9, [0.0] * 8, Label.PASS, id="one value overall"),
            pytest.param([5.0] * 10, [1.0] * 10, Label.HIGH, id="both constant"),
            pytest.param([5.0], [1.0], Label.PASS, id="one point each proves nothing"),
            pytest.param(list(range(20, 30)), list(range(10)), Label.HIGH, id="higher"),
            pytest.param(list(range(10)), list(range(20, 30)), Label.PASS, id="lower does no harm"),
            pytest.param([1.0] * 10, [0.0] * 10, Label.HIGH, id="no errors in the baseline"),
            pytest.param([1.0, 3.0, 2.0, 5.0], [2.0, 2.5, 1.5, 4.0], Label.PASS, id="no telling"),
        ],
    )
    def test_is_labelled(self, canary, baseline, label):
        assert classify(np.array(canary, dtype=float), np.array(baseline, dtype=float)) is label

    def test_depends_on_the_unit(self):
        # The port keeps the flaw: fractions are too small for an absolute tolerance of 1e-4.
        rng = np.random.Generator(np.random.PCG64(1))
        canary, baseline = rng.normal(1.2, 0.3, 30), rng.normal(1.0, 0.3, 30)
        percent, fraction = location_shift(canary, baseline), location_shift(canary / 1e4, baseline / 1e4)
        assert fraction.estimate != pytest.approx(percent.estimate / 1e4, rel=0.01)


class TestScore:
    @pytest.mark.parametrize(
        ("labels", "critical", "points"),
        [
            ([Label.PASS], [True], 100.0),
            ([Label.HIGH], [True], 0.0),
            ([Label.PASS, Label.HIGH], [False, False], 50.0),
            ([Label.PASS, Label.PASS, Label.HIGH], [False, False, True], 0.0),
            ([Label.PASS, Label.NO_DATA], [False, False], 0.0),
            ([Label.PASS, Label.PASS, Label.NO_DATA], [False, False, False], 100.0),
        ],
    )
    def test_weighs_labels(self, labels, critical, points):
        assert score(labels, critical) == points


class TestJudgement:
    def test_comes_each_ten_minutes(self):
        counts = poisson(2, replicates=1, canary_per_tick=150, stable_per_tick=150, canary_share=0.2, stable_share=0.01)
        assert K10.first_rollbacks(counts, Conditions())[0] == 20
        assert first_rollback(K10, counts[0].tolist(), Conditions()) == 20

    def test_needs_traffic(self):
        assert fails(np.tile(np.array([0, 0, 100, 1]), (20, 1)), 30.0)

    def test_passes_equal_sides(self):
        counts = poisson(
            3, replicates=20, canary_per_tick=150, stable_per_tick=150, canary_share=0.01, stable_share=0.01
        )
        assert (K10.first_rollbacks(counts, Conditions()) == NEVER).mean() >= 0.9
