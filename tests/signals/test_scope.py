import re
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.signals.scope import Scope, Side, pod_pattern

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
words = st.text(ALPHABET, min_size=1, max_size=10)
names = st.from_regex(r"[a-z]([a-z0-9-]{0,43}[a-z0-9])?", fullmatch=True)
revisions = st.text(ALPHABET, min_size=10, max_size=10)
long_words = st.text(ALPHABET, min_size=6, max_size=10)
endings = st.text(ALPHABET, min_size=5, max_size=5)


def pod_name(deployment: str, template_hash: str, random: str) -> str:
    """Return the name as Kubernetes makes it."""
    return f"{deployment}-{template_hash}-"[:58] + random


@given(names, revisions, words, endings)
def test_every_pod_of_a_deployment_is_matched(name: str, revision: str, template_hash: str, random: str) -> None:
    deployment = f"{name}-{revision}"
    assert re.fullmatch(pod_pattern(deployment), pod_name(deployment, template_hash, random))


@given(
    names, revisions, revisions, st.text(ALPHABET, min_size=6, max_size=10), st.text(ALPHABET, min_size=5, max_size=5)
)
def test_another_revisions_pods_are_not(name: str, one: str, other: str, template_hash: str, random: str) -> None:
    if one != other:
        assert not re.fullmatch(pod_pattern(f"{name}-{one}"), pod_name(f"{name}-{other}", template_hash, random))


@pytest.mark.parametrize("length", range(40, 63))
def test_long_names_are_cut_as_kubernetes_does(length: int) -> None:
    deployment = (ascii_lowercase * 3)[:length]
    for template_hash in ("5f7c9", "5f7c9d8b65", "7"):
        assert re.fullmatch(pod_pattern(deployment), pod_name(deployment, template_hash, "abc12")), template_hash


STRANGERS = {
    "the Deployment itself": "fraud-bcdfghjklm",
    "its ReplicaSet": "fraud-bcdfghjklm-5f7c9d8b65",
    "a longer Deployment": "fraud-bcdfghjklm-x-5f7c9d8b65-abc12",
    "a longer name before": "a-fraud-bcdfghjklm-5f7c9d8b65-abc12",
    "something after": "fraud-bcdfghjklm-5f7c9d8b65-abc12-x",
    "a StatefulSet's pod": "fraud-bcdfghjklm-0",
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_strangers_are_not_matched(stranger: str) -> None:
    assert not re.fullmatch(pod_pattern("fraud-bcdfghjklm"), stranger)


def test_sides() -> None:
    scope = Scope(namespace="risk", canary="fraud-bcdfghjklm", stable="fraud-zzxxwwvvtt", model="fraud")
    assert scope.side_of("fraud-bcdfghjklm-5f7c9d-abc12") is Side.CANARY
    assert scope.side_of("fraud-zzxxwwvvtt-5f7c9d-abc12") is Side.STABLE
    assert scope.side_of("fraud-5f7c9d-abc12") is None
    assert [str(each) for each in scope.matchers(Side.CANARY)] == [
        'namespace="risk"',
        'pod=~"fraud-bcdfghjklm-[a-z0-9]{1,10}-[a-z0-9]{5}"',
    ]
    assert str(scope.matchers(*Side)[1]).count("|") == 1
