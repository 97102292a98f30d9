from datetime import timedelta

import pytest

from serinus.errors import InvalidSpec
from serinus.signals import queries
from serinus.signals.scope import Scope, Side
from serinus.signals.selectors import Selector, equals, parse_selector

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
        ('max(p{model="fraud-$revision"})', f'max(p{{model="fraud-{SCOPE.revision(Side.CANARY)}"}})'),
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
    "t{$revisions}",
]


@pytest.mark.parametrize("text", REFUSED)
def test_other_placeholders_are_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        queries.check_query(text)


def test_the_past_of_some_pods_on_a_grid() -> None:
    asked = queries.past([A, B], ["p-2", "p.1"], timedelta(minutes=30), timedelta(seconds=30))
    some = r'pod=~"p-2|p\\.1"'
    assert asked == (f'(last_over_time(a{{x="1",{some}}}[600s]) or last_over_time(b{{{some}}}[600s]))[1800s:30s]')
    query = queries.past_query("max(x{$selector})", SCOPE, Side.STABLE, MINUTE, timedelta(seconds=1))
    assert query == f'(max(x{{namespace="risk",pod=~"{STABLE}"}}))[60s:1s]'


DATED = {
    "max(p{$selector})": (f"p{{{SELECTED}}}",),
    'min(p{why="{a}",x=~"}"}) / sum(rate(q{} [5m]))': ('p{why="{a}",x=~"}"}', "q{}"),
    "p{} - p{}": ("p{}",),
    'count({__name__=~"p.*"})': ('{__name__=~"p.*"}',),
}


@pytest.mark.parametrize(("query", "metrics"), DATED.items(), ids=DATED)
def test_the_newest_samples_of_all_metrics_of_a_query(query: str, metrics: tuple[str, ...]) -> None:
    queries.check_dated(query)
    asked = queries.newest_samples(query, SCOPE, Side.CANARY, MINUTE)
    assert asked == tuple(f"max(timestamp({m}) or max_over_time(timestamp({m})[60s:6s]))" for m in metrics)


@pytest.mark.parametrize("query", ["business_kpi", "max(business_kpi)", 'label_replace(p, "a", "{}", "b", "")'])
def test_a_query_that_names_no_metric_with_braces_has_no_age(query: str) -> None:
    with pytest.raises(InvalidSpec, match=r"write my_metric\{\}"):
        queries.check_dated(query)


def test_each_metric_is_asked_by_itself() -> None:
    other = parse_selector("a{y='2'}")
    assert queries.by_metric([A, B, other]) == ((A, other), (B,))


def test_series_that_say_whose_they_are_may_be_exported_by_all_pods() -> None:
    labelled = Selector(metric="o", matchers=(equals("revision", "$revision"),))
    (told,) = queries.of_pods([labelled], SCOPE, Side.STABLE)
    (plain,) = queries.of_pods([B], SCOPE, Side.STABLE)
    assert str(told) == f'o{{revision="zzxxwwvvtt",namespace="risk",pod=~"{CANARY}|{STABLE}"}}'
    assert str(plain) == f'b{{namespace="risk",pod=~"{STABLE}"}}'


WINDOWS = {
    "max(x{$selector})": 0.0,
    "sum(rate(x{$selector}[5m]))": 300.0,
    "max_over_time(rate(x[5m])[1h30m:30s])": 5400.0,
    "x[90s:]": 90.0,
    "rate(x[ 2m ]) / rate(y[500ms])": 120.0,
    "rate(x[300])": 300.0,
    "rate(x{why=\"[9h]\",where='[8h]'}[1m])": 60.0,
    "rate(x[1w]) + rate(y[1d])": 604800.0,
    "rate(x[five])": 0.0,
}


@pytest.mark.parametrize(("query", "seconds"), WINDOWS.items(), ids=WINDOWS)
def test_the_longest_range_that_a_query_looks_back_over(query: str, seconds: float) -> None:
    assert queries.window_seconds(query) == seconds
