"""Carry out one gate: readiness, contract, requests, golden comparison, warm-up; in that order, up to a failure.

Knows the order and what each failure is called. Must not know Kubernetes, or when a gate is due.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from urllib.parse import quote

from serinus import contract
from serinus.errors import SerinusError
from serinus.gates import checks, confined
from serinus.gates.answers import Answer, NoAnswer, shortened
from serinus.gates.contracts import breaks, contract_request, read_contract
from serinus.gates.distance import DEFAULT_OUTPUTS, Distance
from serinus.gates.readiness import is_unknown, readiness_request, why_not_ready
from serinus.gates.send import Target, send
from serinus.rollout.smoke import ContractMode, GateOutcome, GateRequest, Golden, Smoke

UNKNOWN_SECONDS = 30.0
"""So long a server is asked again that does not know a model's name: one that loads it knows it."""
PAUSE_SECONDS = 1.0
"""Between two tries of one request."""
_SHORTEST_SECONDS = 1.0
_REPORT_SECONDS = 10.0
_SHORT_EXCERPT = 120
_LONGEST_MESSAGE = 2000
_PORTION_LENGTH = 1024 * 1024

Exchange = tuple[GateRequest, Answer]
Send = Callable[[Target, GateRequest, str, float], Answer]
"""``send``, or what stands for the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a gate needs to know."""

    identity: str
    """``<revision>/<attempt>``."""
    step: int
    smoke: Smoke
    canary: tuple[Target, ...]
    """Every canary pod that is ready, at least one."""
    stable: tuple[Target, ...] = ()
    """A stable pod that is ready; none where nothing serves now."""
    model: str
    """The name that the servers know the model by."""
    protocol: str = "http"
    """Of the canary's runtime."""
    probe_path: str | None = None
    """Readiness path of its preset."""
    stable_protocol: str = "http"
    patience: timedelta = timedelta(seconds=30)
    """A server may load its models after its pods became ready: so long they are asked again."""

    @property
    def quoted(self) -> str:
        """Return the model's name as a part of a path."""
        return quote(self.model, safe="")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """The answers of both sides to one golden request."""

    number: int
    """Of the request, from 1."""
    distance: Distance
    canary: Answer
    stable: Answer


class _Failed(SerinusError):
    """The canary does not pass."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Stopped(SerinusError):
    """Nobody waits for the gate any more."""


@dataclass(slots=True, kw_only=True)
class Gate:
    """One run of a gate."""

    job: Job
    stop: Event = field(default_factory=Event)
    """Set: nobody waits for the result any more."""
    send: Send = send
    _told: list[str] = field(default_factory=list)
    _until: float = 0.0

    def run(self) -> GateOutcome:
        """Ask everything and return how it ended.

        Raises:
            Stopped: it was stopped.
        """
        smoke = self.job.smoke
        self._until = time.monotonic() + self.job.patience.total_seconds()
        try:
            for target in self.job.canary:
                self._await_model(target)
            self._compare_contracts()
            self._ask(smoke.requests)
            if smoke.golden is not None:
                self._compare_outputs(smoke.golden)
            self._warm_up()
        except _Failed as failed:
            return self._outcome(False, failed.reason, failed.message)
        return self._outcome(True, "", "; ".join(self._told) or f"{_pods(self.job.canary)} serve the model")

    def _outcome(self, passed: bool, reason: str, message: str) -> GateOutcome:
        return GateOutcome(
            identity=self.job.identity,
            step=self.job.step,
            passed=passed,
            reason=reason,
            message=shortened(message, _LONGEST_MESSAGE),
        )

    def _await_model(self, target: Target) -> None:
        request = readiness_request(self.job.protocol, self.job.quoted, self.job.probe_path)
        if request is None:
            return
        began, most = time.monotonic(), self.job.smoke.timeout.total_seconds()
        while True:
            spent = time.monotonic() - began
            left = self._until - time.monotonic()
            try:
                answer = self._send_once(target, request, max(_SHORTEST_SECONDS, min(most, left)))
                if not (why := why_not_ready(self.job.protocol, self.job.model, answer)):
                    return
                if is_unknown(self.job.protocol, answer):
                    left = min(left, UNKNOWN_SECONDS - spent)
                why = f"{why}: {answer.excerpt()}"
            except NoAnswer as error:
                why = str(error)
            if left <= 0:
                break
            self._pause(1)
        raise _Failed(
            contract.REASON_MODEL_NOT_READY,
            f"pod {target.pod} is ready, but for {spent:.0f} s {_name(request)} says its model is not: {why}",
        )

    def _compare_contracts(self) -> None:
        job = self.job
        canary_request = contract_request(job.protocol, job.quoted)
        stable_request = contract_request(job.stable_protocol, job.quoted)
        must_hold = job.smoke.contract is ContractMode.REQUIRE
        if canary_request is None or stable_request is None or not job.stable:
            if must_hold:
                self._told.append(
                    "contract not compared: " + ("no metadata in this protocol" if job.stable else "no stable")
                )
            return
        try:
            before = read_contract(job.stable_protocol, self._metadata(job.stable[0], stable_request))
            if before.is_empty():
                self._told.append("stable tells no inputs and outputs to compare with")
                return
            answer = self._metadata(job.canary[0], canary_request)
        except NoAnswer as error:
            self._cannot_compare("contract", error, must_hold=must_hold)
            return
        broken = breaks(read_contract(job.protocol, answer), before)
        if broken and must_hold:
            raise _Failed(
                contract.REASON_CONTRACT_BROKEN,
                f"what pod {job.canary[0].pod} takes and gives is not what stable does: {broken}; it says "
                f"{answer.excerpt()}",
            )
        self._told.append(f"contract differs: {broken}" if broken else "inputs and outputs are stable's")

    def _metadata(self, target: Target, request: GateRequest) -> Answer:
        """Ask for metadata: once and not for long where it decides nothing, so that it cannot use up the deadline."""
        smoke = self.job.smoke
        try:
            if smoke.contract is ContractMode.REQUIRE:
                return self._tries(target, request)
            return self._send_once(target, request, min(_REPORT_SECONDS, smoke.timeout.total_seconds()))
        except NoAnswer as error:
            raise NoAnswer(f"pod {target.pod} gave no answer to {_name(request)}: {error}") from error

    def _cannot_compare(self, what: str, error: NoAnswer, *, must_hold: bool) -> None:
        """Tell that there is nothing to compare with; what must hold and cannot be checked does not pass."""
        if must_hold:
            raise _Failed(
                contract.REASON_GATE_UNREACHABLE,
                f"the {what} cannot be compared, because {error}; retry when it answers",
            ) from error
        self._told.append(f"{what}: not compared, because {error}")

    def _ask(self, requests: Sequence[GateRequest]) -> None:
        """Send requests to every canary pod; all must be answered as expected."""
        last: Exchange | None = None
        for target in self.job.canary:
            for portion in _portions((request, self._answered(target, request)) for request in requests):
                self._check_json(target, portion)
                last = portion[-1]
        if last is not None:
            request, answer = last
            asked = f"{len(requests)} requests to {_pods(self.job.canary)} answered as expected"
            self._told.append(
                f"{asked}, the last one {_name(request)}: {answer.status} in {answer.milliseconds} ms, "
                f"{answer.excerpt(_SHORT_EXCERPT)}"
            )

    def _answered(self, target: Target, request: GateRequest) -> Answer:
        answer = self._send(target, request)
        if wrong := checks.wrong_status(answer, request.expect):
            raise _wrong_answer(target, request, answer, wrong)
        return answer

    def _check_json(self, target: Target, exchanges: Iterable[Exchange]) -> None:
        looked_into = [each for each in exchanges if each[0].expect.json_path or each[0].expect.json_schema is not None]
        if not looked_into:
            return
        found = confined.check_json([(answer.body, request.expect) for request, answer in looked_into])
        if found is not None:
            index, wrong = found
            raise _wrong_answer(target, *looked_into[index], wrong)

    def _compare_outputs(self, golden: Golden) -> None:
        """Send golden requests to one pod of each side and tell how far their outputs lie apart."""
        canary, found, worst = self.job.canary[0], Distance(), None
        outputs = golden.outputs or DEFAULT_OUTPUTS.get(self.job.protocol, ())
        number = 0
        try:
            for portion in _portions((request, self._whole(canary, request)) for request in golden.requests):
                self._check_json(canary, portion)
                pairs = [(answer, self._of_stable(request)) for request, answer in portion]
                for pair, apart in zip(pairs, _measure(pairs, outputs), strict=False):
                    number += 1
                    found = found.plus(apart)
                    if worst is None or apart.is_worse_than(worst.distance):
                        worst = _Pair(number=number, distance=apart, canary=pair[0], stable=pair[1])
        except NoAnswer as error:
            self._cannot_compare("golden", error, must_hold=golden.tolerance is not None)
            return
        self._judge_distance(golden, outputs, found, worst)

    def _whole(self, target: Target, request: GateRequest) -> Answer:
        answer = self._answered(target, request)
        if answer.is_cut:
            raise _wrong_answer(target, request, answer, checks.TOO_LONG)
        return answer

    def _of_stable(self, request: GateRequest) -> Answer:
        if not self.job.stable:
            raise NoAnswer("no pod of stable is ready")
        target = self.job.stable[0]
        try:
            answer = self._tries(target, request)
        except NoAnswer as error:
            raise NoAnswer(f"stable's pod {target.pod} gave no answer to {_name(request)}: {error}") from error
        if checks.wrong_status(answer, request.expect):
            raise NoAnswer(
                f"stable's pod {target.pod} answered {_name(request)} with {answer.status}: {answer.excerpt()}"
            )
        return answer

    def _judge_distance(self, golden: Golden, outputs: Sequence[str], found: Distance, worst: _Pair | None) -> None:
        told = f"golden: over {len(golden.requests)} requests to both sides {found}"
        if golden.tolerance is not None and found.exceeds(golden.tolerance):
            raise _Failed(
                contract.REASON_GOLDEN_DIFFERS,
                f"{told}, tolerance {golden.tolerance:g}{_advice(found, outputs)}{_quoted(golden, worst)}",
            )
        self._told.append(told + _advice(found, outputs))

    def _warm_up(self) -> None:
        warm_up = self.job.smoke.warm_up
        if warm_up is None:
            return
        spent: list[int] = []
        for target in self.job.canary:
            for number in range(warm_up.times):
                for request in warm_up.requests:
                    answer = self._send(target, request)
                    if answer.status >= 500:
                        raise _wrong_answer(target, request, answer, f"expected no error in warm-up call {number + 1}")
                    spent.append(answer.milliseconds)
        self._told.append(f"{len(spent)} warm-up calls, the first {spent[0]} ms, the last {spent[-1]} ms")

    def _send(self, target: Target, request: GateRequest) -> Answer:
        try:
            return self._tries(target, request)
        except NoAnswer as error:
            times = "once" if self.job.smoke.attempts == 1 else f"{self.job.smoke.attempts} times"
            raise _Failed(
                contract.REASON_GATE_UNREACHABLE,
                f"pod {target.pod} gave no answer to {_name(request)} on port {target.port}, asked {times}: "
                f"{error}; see whether its server listens there, whether a NetworkPolicy lets the operator in, and "
                "whether timeout is long enough",
            ) from error

    def _tries(self, target: Target, request: GateRequest) -> Answer:
        """Send a request until it is answered, at most ``attempts`` times."""
        for attempt in range(self.job.smoke.attempts - 1):
            try:
                return self._send_once(target, request)
            except NoAnswer:
                self._pause(attempt + 1)
        return self._send_once(target, request)

    def _send_once(self, target: Target, request: GateRequest, seconds: float | None = None) -> Answer:
        self._pause(0)
        return self.send(target, request, self.job.identity, seconds or self.job.smoke.timeout.total_seconds())

    def _pause(self, attempt: int) -> None:
        """Wait before all but the first try; end where nobody waits for the result.

        Raises:
            Stopped: the gate was stopped.
        """
        if self.stop.wait(PAUSE_SECONDS if attempt else 0.0):
            raise Stopped("the gate was stopped")


def _wrong_answer(target: Target, request: GateRequest, answer: Answer, wrong: str) -> _Failed:
    return _Failed(
        contract.REASON_SMOKE_FAILED,
        f"{_name(request)} of pod {target.pod} answered {answer.status} in {answer.milliseconds} ms, "
        f"{wrong}: {answer.excerpt()}",
    )


def _measure(pairs: Sequence[tuple[Answer, Answer]], outputs: Sequence[str]) -> tuple[Distance, ...]:
    return confined.measure([(mine.body, theirs.body) for mine, theirs in pairs], outputs)


def _quoted(golden: Golden, worst: _Pair | None) -> str:
    """Quote what both sides answered to the request whose answers lie furthest apart."""
    if worst is None:
        return ""
    request = golden.requests[worst.number - 1]
    return (
        f"; furthest apart is request {worst.number}, {_name(request)}: the canary answered "
        f"{worst.canary.excerpt(_SHORT_EXCERPT)}, stable {worst.stable.excerpt(_SHORT_EXCERPT)}"
    )


def _advice(found: Distance, outputs: Sequence[str]) -> str:
    if not found.blank:
        return ""
    looked_for = " and ".join(outputs) or "answers"
    return f": {looked_for} hold no value, so give golden.outputs a path to what the model gives"


def _portions(exchanges: Iterable[Exchange]) -> Iterator[list[Exchange]]:
    """Yield exchanges as they come, so many together as are worth one process and no burden on memory."""
    portion: list[Exchange] = []
    for each in exchanges:
        portion.append(each)
        if sum(len(answer.body) for _, answer in portion) >= _PORTION_LENGTH:
            yield portion
            portion = []
    if portion:
        yield portion


def _name(request: GateRequest) -> str:
    return f"{request.method} {shortened(request.path)}"


def _pods(targets: Sequence[Target]) -> str:
    return "1 pod" if len(targets) == 1 else f"{len(targets)} pods"
