"""Tell whether a counter's series say which of their cases were bad.

Where the bad cases are series of the same metric with a certain label, a metric without that label has none, whatever
happens: a label that a server renamed must never look like "no errors". Knows counters and labels; must not know pods,
sides or how series were asked for.
"""

from collections.abc import Mapping

from serinus.signals.preset import Counters
from serinus.signals.selectors import Matcher, Operator

Ways = tuple[tuple[Matcher, ...], ...]
"""Any one of them is enough; each is met if all of its conditions are."""

_TO_MEND = "set spec.runtime to the server that runs, or give the signal its own metrics"


def ways_to_tell(counters: Counters) -> Mapping[str, Ways]:
    """Return by metric of the total how its series tell good from bad; a metric that needs not tell is absent.

    What a preset calls legible; without that, each label by which its bad or good series differ from the total's has
    to be there, with any value.
    """
    found: dict[str, Ways] = {}
    for metric in {each.metric: None for each in counters.total}:
        common = {matcher for each in counters.total if each.metric == metric for matcher in each.matchers}

        def beyond(matchers: tuple[Matcher, ...], common: set[Matcher] = common) -> tuple[Matcher, ...]:
            return tuple(each for each in matchers if each not in common)

        ways = tuple(beyond(each.matchers) for each in counters.legible if each.metric == metric)
        if not counters.legible:
            chosen = [each for each in (*counters.bad, *counters.good) if each.metric == metric]
            labels = {each.label: None for one in chosen for each in beyond(one.matchers)}
            ways = tuple((Matcher(label=label, operator=Operator.NOT_EQUAL, value=""),) for label in labels)
        if ways and all(ways):
            found[metric] = ways
    return found


def is_legible(labels: Mapping[str, str], ways: Ways) -> bool:
    """Tell whether a series says whether its cases were bad.

    Args:
        labels: of the series.
        ways: of its metric.
    """
    return any(all(each.holds(labels.get(each.label, "")) for each in way) for way in ways)


def why_illegible(counters: Counters) -> str:
    """Return a sentence's end for people: what the series lack, and what to do."""
    ways = ways_to_tell(counters)
    labels = list({each.label: None for some in ways.values() for way in some for each in way})
    named = labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} or {labels[-1]}"
    values = " that holds an HTTP status" if counters.legible else ""
    return (
        f"count in {' and '.join(ways)} without a label {named}{values}, so nobody can tell which requests failed: "
        f"{_TO_MEND}"
    )
