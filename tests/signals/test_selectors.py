import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.errors import InvalidSpec
from serinus.signals.selectors import Matcher, Operator, Selector, equals, literal, parse_selector, quoted

GOOD = {
    "a name": ("my_requests_total", "my_requests_total{}"),
    "a rule's name": (":job:requests:", ":job:requests:{}"),
    "empty braces": (" up { } ", "up{}"),
    "a regular expression": ('r{code=~"5.."}', 'r{code=~"5.."}'),
    "all operators": ('r{a="1",b!="2",c=~"3",d!~"4"}', 'r{a="1",b!="2",c=~"3",d!~"4"}'),
    "blanks and a last comma": ('r { a = "1" , b = "2" , }', 'r{a="1",b="2"}'),
    "other quotes": ("r{a='x\"y',b=`\\d`}", 'r{a="x\\"y",b="\\\\d"}'),
    "escapes": (r'r{a="\\d\n\t\"\x41\101\u263a\U0001F600"}', 'r{a="\\\\d\\n\t\\"AA☺😀"}'),
    "braces, commas and a dollar inside a text": ('r{a="},{b=$"}', 'r{a="},{b=$"}'),
}


@pytest.mark.parametrize(("text", "written"), GOOD.values(), ids=GOOD)
def test_a_plain_selector_is_understood(text: str, written: str) -> None:
    assert str(parse_selector(text)) == written


BAD = {
    "nothing": ("", "begin with the name"),
    "no name": ('{code="5"}', "begin with the name"),
    "a quoted name": ('{"my.metric"}', "begin with the name"),
    "a function": ("rate(my_requests_total[5m])", "too much"),
    "a range": ("my_requests_total[5m]", "too much"),
    "an offset": ("my_requests_total offset 5m", "too much"),
    "an instant": ("my_requests_total @ 0", "too much"),
    "a sum": ("a + b", "too much"),
    "a union": ('a{x="1"} or b', "too much"),
    "two": ('a{x="1"}{y="2"}', "too much"),
    "an open brace": ('a{x="1"', "comma or a closing brace"),
    "no value": ("a{x=1}", "quoted string"),
    "no comma": ('a{x="1" y="2"}', "comma or a closing brace"),
    "two commas": ('a{x="1",,y="2"}', "only label"),
    "a first comma": ('a{,x="1"}', "only label"),
    "an open text": ('a{x="1}', "quoted string"),
    "a line break in a text": ('a{x="1\n"}', "quoted string"),
    "our placeholder": ("a{$selector}", "only label"),
    "our namespace": ('a{namespace="b"}', "leave out 'namespace'"),
    "our pods": ('a{pod=~".*"}', "leave out 'pod'"),
    "another name": ('a{__name__="b"}', "leave out '__name__'"),
    "an unknown escape": (r'a{x="\d"}', "backslash twice"),
    "half a character": (r'a{x="\ud800"}', "no character"),
    "a raw byte": (r'a{x="\xff"}', "no character"),
    "a comment": ("a # b", "too much"),
}


@pytest.mark.parametrize(("text", "why"), BAD.values(), ids=BAD)
def test_anything_else_is_refused_with_what_to_do(text: str, why: str) -> None:
    with pytest.raises(InvalidSpec, match=why) as caught:
        parse_selector(text)
    assert "kind Query" in caught.value.message


OURS = ("pod", "namespace", "__name__")
labels = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,9}", fullmatch=True).filter(lambda label: label not in OURS)
texts = st.text(st.characters(exclude_categories=["Cs"]))
matchers = st.builds(Matcher, label=labels, operator=st.sampled_from(Operator), value=texts)
metrics = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,9}", fullmatch=True)
selectors = st.builds(Selector, metric=metrics, matchers=st.lists(matchers).map(tuple))


@given(selectors)
def test_what_is_written_is_read_back(selector: Selector) -> None:
    assert parse_selector(str(selector)) == selector


@given(st.text())
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    try:
        parsed = parse_selector(text)
    except InvalidSpec:
        return
    assert parse_selector(str(parsed)) == parsed


def test_a_value_cannot_leave_its_quotes() -> None:
    assert quoted('a"}\\\n') == '"a\\"}\\\\\\n"'
    assert str(Selector(metric="up").narrowed(equals("x", '"} or up{'))) == 'up{x="\\"} or up{"}'


def test_a_literal_in_a_pattern_means_itself() -> None:
    assert literal("+Inf") == r"\+Inf"
    assert literal("0.3") == r"0\.3"
    assert literal("a-b_c") == "a-b_c"
