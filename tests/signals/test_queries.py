from datetime import timedelta

import pytest

from serinus.errors import InvalidSpec
from serinus.signals import queries
from serinus.signals.scope import Scope, Side
from serinus.signals.selectors import parse_selector

SCOPE = Scope(namespace="risk", canary="fraud-bcdfghjklm", stable="fraud-zzxxwwvvtt", model="fraud")
CANARY = "fraud-bcdfghjklm-[a-z0-9]{1,10}-[a-z0-9]{5}"
STABLE = "fraud-zzxxwwvvtt-[a-z0-9]{1,10}-[a-z0-9]{5}"
A, B = parse_selector('a{x="1"}'), parse_selector("b")
SELECTED = f'namespace="risk",pod=~"{CANARY}"'
MINUTE = timedelta(minutes=1)


def test_one_question_for_both_sides() -> None:
    (narrowed,) = queries.of_pods([A], SCOPE)
    assert str(narrowed) == f'a{{x="1",namespace="risk",pod=~"{CANARY}|{STABLE}"}}'


def test_the_newest_value_is_looked_for_far_back() -> None:
    assert queries.newest([A, B]) == 'last_over_time(a{x="1"}[600s]) or last_over_time(b{}[600s])'


def test_resets_of_the_block_alone() -> None:
    whole = "resets(b{}[660s])"
    assert queries.resets([B], MINUTE) == f"({whole}) - ((resets(b{{}}[600s] offset 60s)) or ({whole}) * 0) > 0"


def test_raw_samples_reach_back_as_far_as_the_newest_value() -> None:
    assert queries.raw([A, B], {"p-2", "p-1"}, timedelta(milliseconds=500)) == (
        'a{x="1",pod=~"p-1|p-2"}[600500ms]',
        'b{pod=~"p-1|p-2"}[600500ms]',
    )


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("max(t{$selector})", f'max(t{{namespace="risk",pod=~"{CANARY}"}})'),
        ('max(t{a="b",$selector})', f'max(t{{a="b",namespace="risk",pod=~"{CANARY}"}})'),
        ("t{$selector} / u{$selector}", f"t{{{SELECTED}}} / u{{{SELECTED}}}"),
        ("max(business_kpi)", "max(business_kpi)"),
    ],
)
def test_a_users_query_gets_the_canarys_pods(text: str, asked: str) -> None:
    queries.check_query(text)
    assert queries.side_query(text, SCOPE, Side.CANARY) == asked


REFUSED = [
    "",
    "  ",
    "t{$pods}",
    "t{$selectors}",
    "t{$selector_x}",
    "t{$$selector}",
    "t{a=~'b$'}",
    "$",
    "t{${selector}}",
]


@pytest.mark.parametrize("text", REFUSED)
def test_other_placeholders_are_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        queries.check_query(text)
