"""A counter that does not say which requests failed is never taken for one without failures."""

import pytest

from serinus.signals.legibility import is_legible, ways_to_tell, why_illegible
from serinus.signals.preset import Counters
from serinus.signals.presets import all_presets
from serinus.signals.selectors import parse_selector


def counters(total: str, bad: str, *legible: str) -> Counters:
    one = parse_selector
    return Counters(total=(one(total),), bad=(one(bad),), legible=tuple(map(one, legible)))


@pytest.mark.parametrize(
    ("given", "labels", "expected"),
    [
        (counters("n", 'n{code=~"5.."}'), {"code": "200"}, True),
        (counters("n", 'n{code=~"5.."}'), {"code": "weird"}, True),
        (counters("n", 'n{code=~"5.."}'), {"status": "200"}, False),
        (counters("n", 'n{code=~"5.."}'), {"code": ""}, False),
        (counters("n", 'n{code!~"2.."}'), {"status": "200"}, False),
        (counters('n{app="x"}', 'n{app="x",code=~"5.."}'), {"app": "x"}, False),
        (counters('n{path!="/up"}', 'n{path!="/up",code="5"}'), {"code": "2"}, True),
        (counters("n", 'n{code=~"5.."}', 'n{code=~"[1-5].."}'), {"code": "error"}, False),
        (counters("n", 'n{code=~"5.."}', 'n{code=~"[1-5].."}', 'n{ok!=""}'), {"ok": "yes"}, True),
    ],
)
def test_series_say_which_cases_were_bad(given: Counters, labels: dict[str, str], expected: bool) -> None:
    ways = ways_to_tell(given)["n"]
    assert is_legible(labels, ways) is expected


@pytest.mark.parametrize(
    "given",
    [counters("n", "failed"), counters("n", 'failed{reason="x"}'), counters("n", "n{}", "n"), counters("n", "n")],
)
def test_what_other_metrics_tell_or_a_person_wrote_needs_no_label(given: Counters) -> None:
    assert ways_to_tell(given) == {}


def test_every_preset_that_tells_bad_ones_by_a_label_wants_to_see_one() -> None:
    for name, each in all_presets().items():
        for pair in (each.errors, each.client_errors, each.accuracy):
            if (
                pair is not None
                and not pair.good
                and {one.metric for one in pair.bad} & {one.metric for one in pair.total}
            ):
                told = {label.label for ways in ways_to_tell(pair).values() for way in ways for label in way}
                assert told or name == "triton", name


def test_the_sentence_says_what_is_missing_and_what_to_do() -> None:
    assert why_illegible(all_presets()["generic"].errors) == (
        "count in http_requests_total without a label code, status or status_code that holds an HTTP status, so nobody "
        "can tell which requests failed: set spec.runtime to the server that runs, or give the signal its own metrics"
    )
