"""Wire models of a smoke step: what is asked of canary pods before any user can reach them."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from serinus.api.config_map import FromConfigMap
from serinus.api.quantities import DURATION_PATTERN
from serinus.api.wire import Duration, Rule, Ruled, Wire

MAX_HEADERS = 16
LONGEST_TIMEOUT = timedelta(minutes=5)
RESERVED_HEADERS = frozenset(
    {"connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade", "x-serinus-gate"}
)
"""Ours, or the connection's own."""
HEADER_ADVICE = (
    "name headers with letters, digits and '-'; X-Serinus-Gate and those that belong to the connection, such as "
    "Content-Length, are written by the operator: remove them"
)
HEADER_VALUE_ADVICE = "a header's value has only printable ASCII characters and no line break: remove all others"
PATH_ADVICE = "a path begins with '/' and has only printable ASCII characters and no blank: write others as %20"

# Without `nullable` the API server drops a null, and the check would hold for any value.
_anything = Ruled(extra={"x-kubernetes-preserve-unknown-fields": True, "nullable": True})
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")

Path = Annotated[
    str,
    Field(min_length=1, max_length=2048),
    Ruled(
        (
            Rule(
                cel="self.matches('^/[!-~]*$')",
                message=PATH_ADVICE,
                holds=lambda path: re.fullmatch(r"/[!-~]*", path) is not None,
            ),
        )
    ),
]
HeaderValue = Annotated[
    str,
    Field(max_length=4096),
    Ruled(
        (
            Rule(
                # An expression would cost eight times what the API server allows; a pattern is free.
                cel=None,
                message=HEADER_VALUE_ADVICE,
                holds=lambda value: re.fullmatch("[ -~]*", value) is not None,
            ),
        ),
        {"pattern": "^[ -~]*$"},
    ),
]
JsonPathText = Annotated[str, Field(min_length=1, max_length=256)]


def _names_fit(headers: dict[str, str] | None) -> bool:
    return all(_HEADER_NAME.fullmatch(name) and name.lower() not in RESERVED_HEADERS for name in headers or ())


class JsonPathCheck(Wire):
    """What the values that a JSONPath finds in an answer must be; it must find at least one."""

    rules = (
        Rule(
            cel="!has(self.min) || !has(self.max) || self.min <= self.max",
            message="min is above max: no value can be both",
            holds=lambda check: check.min is None or check.max is None or check.min <= check.max,
        ),
        Rule(
            # `equals` may be anything, so it has no type, and CEL cannot see it.
            cel=None,
            message="tolerance belongs to equals: add equals, or use min and max",
            holds=lambda check: check.tolerance is None or check.has_equals,
        ),
    )

    path: JsonPathText
    """JSONPath (RFC 9535), such as $.outputs[0].data[0]."""
    equals: Annotated[Any, _anything] = None
    """The only value allowed: a number, a text, true or false, null, a list or an object."""
    tolerance: Annotated[float, Field(ge=0)] | None = None
    """Largest absolute distance of a number from its place in equals; 0 if absent."""
    min: float | None = None
    """Smallest number allowed."""
    max: float | None = None
    """Largest number allowed."""

    @property
    def has_equals(self) -> bool:
        """Tell whether one value alone is allowed; null is one, too."""
        return "equals" in self.model_fields_set


class Expectation(Wire):
    """What a smoke request must get."""

    rules = (
        Rule(
            cel="!(has(self.jsonSchema) && has(self.jsonSchemaFrom))",
            message="give jsonSchema or jsonSchemaFrom, not both",
            holds=lambda expect: expect.json_schema is None or expect.json_schema_from is None,
        ),
    )

    status: Annotated[int, Field(ge=100, le=599)] | None = None
    """HTTP status; below 400 if absent."""
    body: Annotated[str, Field(max_length=4096)] | None = None
    """Text that the body must contain."""
    json_path: Annotated[tuple[JsonPathCheck, ...], Field(min_length=1, max_length=16)] | None = None
    """Values inside a JSON answer; all must hold."""
    json_schema: dict[str, Any] | None = None
    """JSON Schema that the answer must meet; a $ref may only point inside it."""
    json_schema_from: FromConfigMap | None = None
    """That JSON Schema from a ConfigMap, as JSON."""


class SmokeRequest(Wire):
    """One request to a canary pod before any user can reach it."""

    rules = (
        Rule(
            cel="!(has(self.body) && has(self.bodyFrom))",
            message="give body or bodyFrom, not both",
            holds=lambda request: request.body is None or request.body_from is None,
        ),
        # The API server cannot bound the length of a map's keys, so it holds an expression over them too costly.
        Rule(cel=None, message=HEADER_ADVICE, holds=lambda request: _names_fit(request.headers)),
    )

    path: Path
    """Path and query."""
    method: Literal["GET", "HEAD", "POST", "PUT"] | None = None
    """POST if there is a body, else GET."""
    headers: Annotated[dict[str, HeaderValue], Field(max_length=MAX_HEADERS)] | None = None
    """Request headers; they are kept in the report, so write no secret into them."""
    body: Annotated[str, Field(max_length=4096)] | None = None
    """Request body."""
    body_from: FromConfigMap | None = None
    """Request body from a ConfigMap, as it is when the attempt begins."""
    expect: Expectation | None = None
    """What must come back; a status below 400 if absent."""


class GoldenSpec(Wire):
    """Requests that one canary pod and one stable pod get, to compare their outputs."""

    requests: Annotated[tuple[SmokeRequest, ...], Field(min_length=1, max_length=16)]
    """Sent to both sides, in order; what they expect must hold for the canary."""
    outputs: Annotated[tuple[JsonPathText, ...], Field(min_length=1, max_length=8)] | None = None
    """JSONPaths of what is compared; $.outputs[*].data and $.predictions with protocol V1 or V2, else all if absent."""
    tolerance: Annotated[float, Field(ge=0)] | None = None
    """Largest absolute distance of two numbers, else the canary is rolled back; only reported if absent."""


class WarmUpSpec(Wire):
    """Calls that take the cold start away from the first users."""

    requests: Annotated[tuple[SmokeRequest, ...], Field(min_length=1, max_length=16)] | None = None
    """Sent to each canary pod, in order; the requests of the step if absent. Their answers must be below 500."""
    times: Annotated[int, Field(ge=1, le=1000)]
    """How often each pod gets all of them."""


class SmokeSpec(Wire):
    """What is asked of canary pods before any user reaches them: at least one of requests, golden, contract, warmUp."""

    rules = (
        Rule(
            cel="has(self.requests) || has(self.golden) || has(self.contract) || has(self.warmUp)",
            message="a smoke step needs at least one of requests, golden, contract, warmUp: add one",
            holds=lambda smoke: any((smoke.requests, smoke.golden, smoke.contract, smoke.warm_up)),
        ),
        Rule(
            cel="!has(self.warmUp) || has(self.warmUp.requests) || has(self.requests)",
            message="warmUp has nothing to send: give it requests, or give the step some",
            holds=lambda smoke: smoke.warm_up is None or bool(smoke.warm_up.requests or smoke.requests),
        ),
        Rule(
            cel="!has(self.timeout) || self.timeout.matches('[1-9]')",
            message="timeout must be longer than zero, or no request could ever be answered",
            holds=lambda smoke: smoke.timeout is None or smoke.timeout > timedelta(0),
        ),
        Rule(
            cel=f"!has(self.timeout) || !self.timeout.matches(r'{DURATION_PATTERN}')"
            " || duration(self.timeout) <= duration('5m')",
            message="timeout is at most 5m: an answer that takes longer than that is no answer to a user",
            holds=lambda smoke: smoke.timeout is None or smoke.timeout <= LONGEST_TIMEOUT,
        ),
    )

    requests: Annotated[tuple[SmokeRequest, ...], Field(min_length=1, max_length=32)] | None = None
    """Sent to each canary pod, in order; each must get what it expects."""
    golden: GoldenSpec | None = None
    """The same requests to both sides; the distance of the outputs is reported."""
    contract: Literal["Require", "Report"] | None = None
    """What happens when the canary's inputs or outputs differ from stable's, where the server tells them (V2, and
    TensorFlow Serving's V1): Require rolls back, Report only tells. Report if absent."""
    warm_up: WarmUpSpec | None = None
    """Calls that take the cold start away from the first users."""
    timeout: Duration | None = None
    """Of one request, at most 5m; 10s if absent."""
    attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    """How often a request is sent that gets no answer; 3 if absent. An answer is never asked for again."""
