"""Hypothesis strategies for the values that go over the wire."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from serinus import contract
from serinus.rollout.assessment import Assessment, SignalEvidence, TrafficShare, Verdict
from serinus.rollout.smoke import ContractMode, Expect, GateRequest, Golden, JsonCheck, Smoke, WarmUp
from serinus.rollout.types import (
    Canary,
    CanaryState,
    LatchedCommand,
    OnInconclusive,
    Progress,
    Reference,
    Rejection,
    Retiring,
    RolloutPlan,
    Signal,
    SignalAction,
    SignalKind,
    Stable,
    Step,
    StepKind,
    Worse,
)

revisions = st.text(contract.REVISION_ALPHABET, min_size=10, max_size=12)
times = st.timedeltas(timedelta(0), timedelta(days=20000)).map(lambda age: datetime(2020, 1, 1, tzinfo=UTC) + age)
durations = st.timedeltas(timedelta(0), timedelta(hours=8760))
texts = st.text(st.characters(codec="utf-8"), max_size=60)
words = st.text("abcXYZ", min_size=1, max_size=12)
counts = st.integers(0, 10**12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe_numbers = st.none() | numbers

canaries = st.builds(
    Canary,
    revision=revisions,
    attempt=st.integers(1, 99),
    step=st.integers(0, 49),
    weight=st.integers(0, 100),
    state=st.sampled_from(CanaryState),
    since=times,
    step_since=times,
    ready_since=st.none() | times,
    paused=st.booleans(),
    inconclusive=st.booleans(),
)
rejections = st.builds(Rejection, revision=revisions, attempt=st.integers(1, 99), reason=words, message=texts, at=times)
commands = st.builds(
    LatchedCommand,
    type=st.sampled_from(contract.COMMANDS),
    value=texts,
    at=times,
    manager=texts,
    obeyed=st.booleans(),
)
progresses = st.builds(
    Progress,
    stable=st.none() | st.builds(Stable, revision=revisions, since=st.none() | times),
    canary=st.none() | canaries,
    retiring=st.lists(st.builds(Retiring, revision=revisions, since=times), max_size=3).map(tuple),
    rejected=st.lists(rejections, max_size=4).map(tuple),
    commands=st.lists(commands, max_size=4).map(tuple),
)

references = st.builds(
    Reference,
    counts=st.lists(counts, max_size=4).map(tuple),
    edges=st.lists(numbers, max_size=3).map(tuple),
    categories=st.lists(texts, max_size=3).map(tuple),
)
requests = st.builds(
    GateRequest,
    path=texts,
    method=words,
    headers=st.dictionaries(words, texts, max_size=2),
    body=st.none() | texts,
    expect=st.builds(
        Expect,
        status=st.none() | st.integers(100, 599),
        body=st.none() | texts,
        json_path=st.lists(
            st.builds(
                JsonCheck,
                path=texts,
                equals=st.none() | texts,
                tolerance=numbers,
                minimum=maybe_numbers,
                maximum=maybe_numbers,
            ),
            max_size=2,
        ).map(tuple),
        json_schema=st.none() | texts,
    ),
)
several = st.lists(requests, max_size=2).map(tuple)
smokes = st.builds(
    Smoke,
    requests=several,
    golden=st.none()
    | st.builds(Golden, requests=several, outputs=st.lists(texts, max_size=2).map(tuple), tolerance=maybe_numbers),
    contract=st.sampled_from(ContractMode),
    warm_up=st.none() | st.builds(WarmUp, requests=several, times=st.integers(1, 1000)),
    timeout=durations,
    attempts=st.integers(1, 10),
)

plans = st.builds(
    RolloutPlan,
    steps=st.lists(
        st.builds(
            Step,
            kind=st.sampled_from(StepKind),
            weight=st.integers(0, 100),
            at_least=durations,
            name=texts,
            smoke=st.none() | smokes,
        ),
        max_size=4,
    ).map(tuple),
    signals=st.lists(
        st.builds(
            Signal,
            name=words,
            kind=st.sampled_from(SignalKind),
            action=st.sampled_from(SignalAction),
            weight=st.integers(1, 100),
            margin=numbers,
            unacceptable=numbers,
            slo=maybe_numbers,
            bound_seconds=maybe_numbers,
            total=st.none() | texts,
            bad=st.none() | texts,
            buckets=st.none() | texts,
            categories=st.none() | texts,
            label=st.none() | texts,
            feature=st.none() | texts,
            reference=st.none() | references,
            query=st.none() | texts,
            worse=st.sampled_from(Worse),
            window_seconds=numbers,
            minimum=maybe_numbers,
            maximum=maybe_numbers,
        ),
        max_size=4,
    ).map(tuple),
    interval=durations,
    false_rollback_rate=numbers,
    false_promotion_rate=numbers,
    confirm_ticks=st.integers(1, 10),
    strict=st.booleans(),
    on_inconclusive=st.sampled_from(OnInconclusive),
    max_wait=durations,
    progress_deadline=durations,
)

evidences = st.builds(
    SignalEvidence,
    name=words,
    kind=st.sampled_from(SignalKind),
    action=st.sampled_from(SignalAction),
    verdict=st.sampled_from(Verdict),
    evidence=maybe_numbers,
    safety=maybe_numbers,
    effect=maybe_numbers,
    effect_standard_error=maybe_numbers,
    dispersion=maybe_numbers,
    more_requests=maybe_numbers,
    canary_from_reference=maybe_numbers,
    stable_from_reference=maybe_numbers,
    canary_total=counts,
    canary_bad=counts,
    stable_total=counts,
    stable_bad=counts,
    value=maybe_numbers,
    reason=words,
    because=texts,
)
assessments = st.builds(
    Assessment,
    at=times,
    step=st.integers(0, 49),
    verdict=st.sampled_from(Verdict),
    rollback=st.booleans(),
    promote=st.booleans(),
    calm=st.booleans(),
    evidence=numbers,
    threshold=numbers,
    reason=words,
    because=texts,
    signals=st.lists(evidences, max_size=3).map(tuple),
    ticks_in_step=st.integers(0, 1000),
    traffic=st.none()
    | st.builds(TrafficShare, expected=numbers, observed=numbers, evidence=numbers, off=st.booleans(), because=texts),
)
