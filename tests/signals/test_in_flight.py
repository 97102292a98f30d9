"""What a server is still answering when a block ends is no failure, however slow it is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serinus.signals.counts import Counted, added, failures
from serinus.signals.presets import preset
from serinus.signals.selectors import Selector

POD = "fraud-canary-abc-12345"
REQUESTS = st.lists(
    st.tuples(
        st.floats(0, 300),  # arrives, seconds
        st.floats(0, 120),  # takes
        st.sampled_from(["predict", "explain"]),
        st.booleans(),  # goes well
    ),
    max_size=60,
)
TICKS = st.lists(st.integers(0, 500), min_size=2, max_size=20, unique=True).map(sorted)
Request = tuple[float, float, str, bool]


def value(selector: Selector, requests: list[Request], at: float) -> int:
    """Return what KServe's server shows: each timer counts what is over, also what raised; preprocess is quick."""
    over = [each for each in requests if each[0] + each[1] <= at]
    return {
        "request_preprocess_seconds_count": sum(each[0] <= at for each in requests),
        "request_predict_seconds_count": sum(each[2] == "predict" for each in over),
        "request_explain_seconds_count": sum(each[2] == "explain" for each in over),
        "request_postprocess_seconds_count": sum(each[3] for each in over),
    }[selector.metric]


@given(requests=REQUESTS, ticks=TICKS)
def test_kserve_is_charged_its_failures_and_nothing_that_is_under_way(requests: list[Request], ticks: list[int]):
    counters = preset("kserve").errors
    assert counters is not None

    def counted(selectors: tuple[Selector, ...], start: int, end: int) -> Counted:
        parts = [value(each, requests, end) - value(each, requests, start) for each in selectors]
        return added([Counted(by_pod={POD: part}, left_out={}) for part in parts])

    for start, end in pairwise(ticks):
        over = [each for each in requests if start < each[0] + each[1] <= end]
        rates = failures(counted(counters.total, start, end), counted(counters.good, start, end))
        assert rates.by_pod == {POD: (len(over), sum(not each[3] for each in over))}
