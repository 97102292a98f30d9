"""Bodies of ModelDeployments: one that is good, and a change for each way to spoil it.

The same table is used against the operator's parser and against a real API server.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

MINIMAL: Spec = {"template": {"spec": {"containers": [{"name": "server", "image": "registry.example/fraud:1"}]}}}


def body(spec: Spec | None = None, *, name: str = "fraud", **metadata: Any) -> dict[str, Any]:
    """Return a whole ModelDeployment, as the API server would give it."""
    base = {"name": name, "namespace": "risk", "uid": "7f5c", "generation": 3}
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": base | metadata,
        "spec": deepcopy(MINIMAL if spec is None else spec),
    }


def minimal(**fields: Any) -> Spec:
    """Return the least spec with more top-level fields."""
    return deepcopy(MINIMAL) | fields


def rollout(**fields: Any) -> Spec:
    return minimal(rollout=fields)


def steps(*items: Any) -> Spec:
    return rollout(steps=list(items))


def analysis(**fields: Any) -> Spec:
    return minimal(analysis=fields)


def signals(*items: Any) -> Spec:
    return analysis(signals=list(items))


def signal(**fields: Any) -> Spec:
    return signals({"name": "it"} | fields)


def model(**fields: Any) -> Spec:
    return minimal(model=fields)


def gateway(**fields: Any) -> Spec:
    return minimal(traffic={"split": "Gateway", "gateway": fields})


def containers(*items: Any) -> Spec:
    return minimal(template={"spec": {"containers": list(items)}})


def labelled(**labels: str) -> Spec:
    return minimal(template={"metadata": {"labels": labels}, **MINIMAL["template"]})


def annotated(**annotations: str) -> Spec:
    return minimal(template={"metadata": {"annotations": annotations}, **MINIMAL["template"]})


REFERENCE = {"configMapKeyRef": {"name": "profile", "key": "profile.json"}}
SMOKE = {"smoke": {"requests": [{"path": "/"}]}}


def smoke(**fields: Any) -> Spec:
    return steps({"smoke": fields}, {"weight": 5})


def asked(**fields: Any) -> Spec:
    """Return a smoke step with one request."""
    return smoke(requests=[{"path": "/", **fields}])


SHADOW = {"shadow": {"percent": 50}}
CONTAINER = {"name": "server", "image": "registry.example/fraud:1"}


SCHEMA_WORDS = (
    "should be",
    "should match",
    "must be of type",
    "must have at most",
    "may not be more",
    "should have at least",
    "supported values",
    "unknown field",
    "Required value",
    "Duplicate value",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A spec that cannot work."""

    spec: Spec
    says: str
    """Words that the API server's refusal must hold: our own sentence, or the schema's where it is clear."""
    path: str
    """Where the operator's parser sees the fault."""

    @property
    def schema_speaks(self) -> bool:
        """Whether the refusal is the API server's own wording, which ours need not repeat."""
        return any(words in self.says for words in SCHEMA_WORDS)


def _bad(spec: Spec, path: str, says: str) -> Bad:
    return Bad(spec=spec, says=says, path=path)


_UNITS = "write a duration with units, such as 90s, 10m or 1h30m"
_SHARE = "write a share as a percentage such as 0.5%"
_ONE_KIND = "a step is exactly one of smoke, shadow, weight, approval, match: split it into several steps"
_OURS = "remove the keys under serinus.dev/: the operator sets them itself"
_ONE_FORM = "give exactly one of these: total and bad (two counters), buckets (a histogram), categories and label"
_RATE_LOW = "should be greater than 0"

BAD = {
    "unknown field": _bad(minimal(replicaz=3), "spec.replicaz", 'unknown field "spec.replicaz"'),
    "unknown field in a step": _bad(
        steps({"weight": 5, "atleast": "1m"}), "spec.rollout.steps[0].atleast", 'unknown field "spec.rollout.steps[0]'
    ),
    "no template": _bad({"replicas": 1}, "spec.template", "spec.template: Required value"),
    "no containers": _bad(containers(), "spec.template.spec.containers", "should have at least 1 items"),
    "container without image": _bad(
        containers({"name": "server"}), "spec.template.spec.containers[0].image", "image: Required value"
    ),
    "containers of one name": _bad(
        containers(CONTAINER, CONTAINER), "spec.template.spec.containers", "Duplicate value"
    ),
    "template label of ours": _bad(labelled(**{"serinus.dev/revision": "x"}), "spec.template.metadata.labels", _OURS),
    "template annotation of ours": _bad(
        annotated(**{"serinus.dev/runtime": "x"}), "spec.template.metadata.annotations", _OURS
    ),
    "replicas below zero": _bad(minimal(replicas=-1), "spec.replicas", "should be greater than or equal to 0"),
    "replicas as text": _bad(minimal(replicas="4"), "spec.replicas", 'must be of type integer: "string"'),
    "unknown runtime": _bad(minimal(runtime="triton9"), "spec.runtime", 'supported values: "bentoml"'),
    "port zero": _bad(minimal(service={"port": 0}), "spec.service.port", "should be greater than or equal to 1"),
    "port too large": _bad(
        minimal(service={"port": 70000}), "spec.service.port", "should be less than or equal to 65535"
    ),
    "target port zero": _bad(
        minimal(service={"targetPort": 0}), "spec.service.targetPort", "give a port number from 1 to 65535"
    ),
    "target port of no shape": _bad(
        minimal(service={"targetPort": "No Port"}), "spec.service.targetPort", "or the name of a container port"
    ),
    "service name with a dot": _bad(
        minimal(service={"name": "a.b"}), "spec.service.name", "start with a letter and use only lower-case letters"
    ),
    "gateway without split": _bad(
        minimal(traffic={"gateway": {"routeRef": {"kind": "HTTPRoute", "name": "r"}}}),
        "spec.traffic",
        "split: Gateway and gateway go together",
    ),
    "split without gateway": _bad(
        minimal(traffic={"split": "Gateway"}), "spec.traffic", "split: Gateway and gateway go together"
    ),
    "two kinds of route": _bad(
        gateway(parentRefs=[{"name": "g"}], routeRef={"kind": "HTTPRoute", "name": "r"}),
        "spec.traffic.gateway",
        "give either parentRefs",
    ),
    "no route at all": _bad(gateway(), "spec.traffic.gateway", "give either parentRefs"),
    "host names for a user's route": _bad(
        gateway(hostnames=["a.example"], routeRef={"kind": "HTTPRoute", "name": "r"}),
        "spec.traffic.gateway",
        "remove them beside routeRef",
    ),
    "unknown split": _bad(
        minimal(traffic={"split": "Magic"}), "spec.traffic.split", 'supported values: "Replicas", "Gateway"'
    ),
    "password in a uri": _bad(model(uri="https://bob:secret@h/x"), "spec.model.uri", "put HTTPS_USERNAME and"),
    "unknown scheme": _bad(model(uri="ftp://x/y"), "spec.model.uri", "write where the model is, beginning with one of"),
    **{
        f"no place at {uri}": _bad(model(uri=uri), "spec.model.uri", says)
        for uri, says in (
            ("s3:///", "write s3://bucket/path"),
            ("gs://a b/c", "write s3://bucket/path"),
            ("az://@account/c", "write az://container/path"),
            ("https://host", "name a file"),
            ("https://host/?sig=x", "name a file"),
            ("hf://owner", "write hf://owner/name"),
            ("oci://registry/Upper", "write oci://registry/repository:tag"),
            ("oci://registry/r@sha256:abc", "write oci://registry/repository:tag"),
            ("models:/m/latest", "with a number"),
            ("models:/m", "with a number"),
            ("models:/m/Production", "with a number"),
            ("pvc:///path", "write pvc://claim"),
            ("s3://b/k?X-Amz-Signature=x", "belong into secretRef"),
        )
    },
    "digest of a claim": _bad(model(uri="pvc://a/b", digest="sha256:" + "a" * 64), "spec.model", "mounted as it is"),
    "tracked claim": _bad(model(uri="pvc://a/b", track=True), "spec.model", "mounted as it is"),
    "credentials of a claim": _bad(
        model(uri="pvc://a/b", secretRef={"name": "store"}), "spec.model", "mounted as it is"
    ),
    "digest of no shape": _bad(
        model(uri="s3://a/b", digest="sha256:ABC"), "spec.model.digest", "write sha256: and 64 hexadecimal digits"
    ),
    "digest without uri": _bad(model(digest="sha256:" + "a" * 64), "spec.model", "give uri, or remove them"),
    "digest and track": _bad(
        model(uri="s3://a/b", digest="sha256:" + "a" * 64, track=True),
        "spec.model",
        "digest fixes the content and track follows it",
    ),
    "relative mount path": _bad(
        model(uri="s3://a/b", mountPath="models"), "spec.model.mountPath", "give an absolute path"
    ),
    "the root as a mount path": _bad(
        model(uri="s3://a/b", mountPath="/"), "spec.model.mountPath", "a directory of its own"
    ),
    "a taken mount path": _bad(
        model(uri="s3://a/b", mountPath="/tmp/m"), "spec.model.mountPath", "a directory of its own"
    ),
    "a mount path that climbs": _bad(
        model(uri="s3://a/b", mountPath="/mnt/../etc"), "spec.model.mountPath", "a directory of its own"
    ),
    "a mount path with options": _bad(
        model(uri="s3://a/b", mountPath="/mnt/m:ro"), "spec.model.mountPath", "a directory of its own"
    ),
    "no steps": _bad(steps(), "spec.rollout.steps", "give at least one step, or leave steps out"),
    "weights that fall": _bad(
        steps({"weight": 50}, {"approval": {}}, {"weight": 25}),
        "spec.rollout.steps",
        "weights may not fall from one step to the next: put them in rising order",
    ),
    "weight zero": _bad(steps({"weight": 0}), "spec.rollout.steps[0].weight", "should be greater than or equal to 1"),
    "weight above 100": _bad(
        steps({"weight": 101}), "spec.rollout.steps[0].weight", "should be less than or equal to 100"
    ),
    "weight with a fraction": _bad(
        steps({"weight": 2.5}), "spec.rollout.steps[0].weight", 'must be of type integer: "number"'
    ),
    "two kinds in a step": _bad(steps({"weight": 5, "approval": {}}), "spec.rollout.steps[0]", _ONE_KIND),
    "no kind in a step": _bad(steps({"atLeast": "5m"}), "spec.rollout.steps[0]", _ONE_KIND),
    "smoke after a weight": _bad(steps({"weight": 5}, SMOKE), "spec.rollout.steps", "put them before the first weight"),
    **{
        f"a header's value with {what}": _bad(
            asked(headers={"X-Key": value}),
            "spec.rollout.steps[0].smoke.requests[0].headers.X-Key",
            "should match '^[ -~]*$'",
        )
        for what, value in {"CR and LF": "a\r\nHost: b", "LF at its end": "a\n", "a NUL": "\0", "é": "é"}.items()
    },
    "a header of calls that warm up": _bad(
        smoke(warmUp={"times": 1, "requests": [{"path": "/", "headers": {"X-Key": "\n"}}]}),
        "spec.rollout.steps[0].smoke.warmUp.requests[0].headers.X-Key",
        "should match '^[ -~]*$'",
    ),
    "too many headers": _bad(
        asked(headers={f"X-{number}": "" for number in range(17)}),
        "spec.rollout.steps[0].smoke.requests[0].headers",
        "at most 16 items",
    ),
    "smoke without anything": _bad(
        smoke(timeout="5s"), "spec.rollout.steps[0].smoke", "needs at least one of requests, golden, contract, warmUp"
    ),
    "warm-up without requests": _bad(
        smoke(warmUp={"times": 3}), "spec.rollout.steps[0].smoke", "warmUp has nothing to send"
    ),
    "timeout of zero": _bad(
        smoke(contract="Require", timeout="0s"), "spec.rollout.steps[0].smoke", "timeout must be longer than zero"
    ),
    "timeout of an hour": _bad(
        smoke(contract="Report", timeout="1h"), "spec.rollout.steps[0].smoke", "timeout is at most 5m"
    ),
    "two bodies": _bad(
        asked(body="a", bodyFrom=REFERENCE),
        "spec.rollout.steps[0].smoke.requests[0]",
        "give body or bodyFrom, not both",
    ),
    "a path with a host": _bad(
        asked(path="http://example.org/"), "spec.rollout.steps[0].smoke.requests[0].path", "a path begins with '/'"
    ),
    "a path with a blank": _bad(
        asked(path="/a b"), "spec.rollout.steps[0].smoke.requests[0].path", "write others as %20"
    ),
    "a method that writes": _bad(
        asked(method="DELETE"), "spec.rollout.steps[0].smoke.requests[0].method", "supported values"
    ),
    "two schemas": _bad(
        asked(expect={"jsonSchema": {"type": "object"}, "jsonSchemaFrom": REFERENCE}),
        "spec.rollout.steps[0].smoke.requests[0].expect",
        "give jsonSchema or jsonSchemaFrom, not both",
    ),
    "bounds that cross": _bad(
        asked(expect={"jsonPath": [{"path": "$", "min": 2, "max": 1}]}),
        "spec.rollout.steps[0].smoke.requests[0].expect.jsonPath[0]",
        "min is above max",
    ),
    "golden without requests": _bad(
        smoke(golden={"requests": []}), "spec.rollout.steps[0].smoke.golden.requests", "should have at least 1 items"
    ),
    "1001 warm-up calls": _bad(
        smoke(warmUp={"times": 1001, "requests": [{"path": "/"}]}),
        "spec.rollout.steps[0].smoke.warmUp.times",
        "should be less than or equal to 1000",
    ),
    "shadow after a weight": _bad(
        steps({"weight": 5}, SHADOW), "spec.rollout.steps", "put them before the first weight"
    ),
    "51 steps": _bad(steps(*[{"weight": 5}] * 51), "spec.rollout.steps", "must have at most 50 items"),
    "days": _bad(steps({"weight": 5, "atLeast": "7d"}), "spec.rollout.steps[0].atLeast", _UNITS),
    "no unit": _bad(rollout(maxWait="30"), "spec.rollout.maxWait", _UNITS),
    "negative duration": _bad(rollout(keepOld="-5s"), "spec.rollout.keepOld", _UNITS),
    "endless duration": _bad(rollout(maxWait="99999h"), "spec.rollout.maxWait", _UNITS),
    "duration out of all range": _bad(rollout(maxWait="99999999999999999999h"), "spec.rollout.maxWait", "maxWait"),
    "no time for pods": _bad(
        rollout(progressDeadline="0s"), "spec.rollout", "progressDeadline must be longer than zero"
    ),
    "bake without a time": _bad(rollout(bake={"holdback": 5}), "spec.rollout.bake.for", "for: Required value"),
    "holdback above 50": _bad(
        rollout(bake={"for": "1h", "holdback": 51}), "spec.rollout.bake.holdback", "should be less than or equal to 50"
    ),
    "minAvailable with Surge": _bad(
        rollout(minAvailable=1), "spec.rollout", "minAvailable belongs to capacity: InPlace"
    ),
    "unknown choice": _bad(
        rollout(onInconclusive="Hope"),
        "spec.rollout.onInconclusive",
        'supported values: "Wait", "Pause", "Rollback", "PromoteIfCalm"',
    ),
    "no history": _bad(rollout(historyLimit=0), "spec.rollout.historyLimit", "should be greater than or equal to 1"),
    "interval zero": _bad(analysis(interval="0s"), "spec.analysis", "interval must be from 1s to 5m"),
    "interval too long": _bad(analysis(interval="1h"), "spec.analysis", "interval must be from 1s to 5m"),
    "alpha zero": _bad(analysis(falseRollbackRate=0), "spec.analysis.falseRollbackRate", _RATE_LOW),
    "alpha 0.9": _bad(
        analysis(falseRollbackRate=0.9), "spec.analysis.falseRollbackRate", "should be less than or equal to 0.5"
    ),
    "beta zero": _bad(analysis(falsePromotionRate=0), "spec.analysis.falsePromotionRate", _RATE_LOW),
    "no confirmation": _bad(
        analysis(confirmTicks=0), "spec.analysis.confirmTicks", "should be greater than or equal to 1"
    ),
    "no signals": _bad(signals(), "spec.analysis.signals", "give at least one signal, or leave signals out"),
    "signals of one name": _bad(
        signals({"name": "a", "kind": "Errors"}, {"name": "a", "kind": "Latency", "bound": "1s"}),
        "spec.analysis.signals",
        "Duplicate value",
    ),
    "signal without kind": _bad(signal(margin="1%"), "spec.analysis.signals[0]", "give the signal a kind"),
    "signal of unknown kind": _bad(
        signal(kind="Vibes"), "spec.analysis.signals[0].kind", 'supported values: "Errors", "Latency"'
    ),
    "signal name in capitals": _bad(
        signals({"name": "Errors", "kind": "Errors"}), "spec.analysis.signals[0].name", "start with a letter"
    ),
    "margin of one": _bad(signal(kind="Latency", bound="300ms", margin="1"), "spec.analysis.signals[0].margin", _SHARE),
    "margin of 100 %": _bad(signal(kind="Errors", margin="100%"), "spec.analysis.signals[0].margin", _SHARE),
    "margin as a number": _bad(
        signal(kind="Errors", margin=0.01), "spec.analysis.signals[0].margin", 'must be of type string: "number"'
    ),
    "margin above unacceptable": _bad(
        signal(kind="Errors", margin="2%", unacceptable="0.01"),
        "spec.analysis.signals[0]",
        "margin may not be above it",
    ),
    "nothing is unacceptable": _bad(
        signal(kind="Errors", margin="0%"), "spec.analysis.signals[0]", "unacceptable (twice the margin if absent)"
    ),
    "slo of no shape": _bad(signal(kind="Errors", slo="half"), "spec.analysis.signals[0].slo", _SHARE),
    "query without bounds": _bad(
        signal(kind="Query", query="up"), "spec.analysis.signals[0]", "a Query needs query and at least one of"
    ),
    "query without query": _bad(
        signal(kind="Query", max=5), "spec.analysis.signals[0]", "a Query needs query and at least one of"
    ),
    "a source that is not known": _bad(
        signal(kind="Errors", source="varnish"), "spec.analysis.signals[0].source", 'supported values: "envoy-gateway"'
    ),
    "source on Accuracy": _bad(
        signal(kind="Accuracy", source="istio"), "spec.analysis.signals[0]", "source belongs to signals of kind Errors"
    ),
    "source and metrics": _bad(
        signal(kind="Errors", source="istio", metrics={"total": "a", "bad": "b"}),
        "spec.analysis.signals[0]",
        "source and metrics exclude each other",
    ),
    "maxAge on Errors": _bad(
        signal(kind="Errors", maxAge="5m"), "spec.analysis.signals[0]", "maxAge belongs to signals of kind Query"
    ),
    "maxAge of zero": _bad(
        signal(kind="Query", query="up{}", max=1, maxAge="0s"),
        "spec.analysis.signals[0]",
        "maxAge must be longer than zero",
    ),
    "updated without maxAge": _bad(
        signal(kind="Query", query="up{}", max=1, updated="max(t)"),
        "spec.analysis.signals[0]",
        "updated says when the value was computed",
    ),
    "min above max": _bad(
        signal(kind="Query", query="up", min=2.5, max=2), "spec.analysis.signals[0]", "min is above max"
    ),
    "query on Errors": _bad(
        signal(kind="Errors", query="up"), "spec.analysis.signals[0]", "query belongs to signals of kind Query"
    ),
    "margin on Query": _bad(
        signal(kind="Query", query="up", max=1, margin="1%"), "spec.analysis.signals[0]", "margin belongs to signals"
    ),
    "bound on Errors": _bad(
        signal(kind="Errors", bound="1s"), "spec.analysis.signals[0]", "bound belongs to signals of kind Latency"
    ),
    "bound of zero": _bad(
        signal(kind="Latency", bound="0ms"), "spec.analysis.signals[0]", "bound must be longer than zero"
    ),
    "metrics on Latency": _bad(
        signal(kind="Latency", bound="1s", metrics={"total": "a", "bad": "b"}),
        "spec.analysis.signals[0]",
        "metrics with total and bad belongs to signals of kind Errors",
    ),
    "metrics on Query": _bad(
        signal(kind="Query", query="up", max=1, metrics={"buckets": "a"}),
        "spec.analysis.signals[0]",
        "metrics belongs to signals of kind Errors or Latency",
    ),
    "buckets on Errors": _bad(
        signal(kind="Errors", metrics={"buckets": "a"}),
        "spec.analysis.signals[0]",
        "metrics with buckets belongs to signals of kind Latency or PredictionDrift",
    ),
    "categories on Latency": _bad(
        signal(kind="Latency", metrics={"categories": "a", "label": "b"}),
        "spec.analysis.signals[0]",
        "metrics with categories and label belongs to signals of kind PredictionDrift",
    ),
    "half of the metrics": _bad(
        signal(kind="Errors", metrics={"total": "a"}), "spec.analysis.signals[0].metrics", _ONE_FORM
    ),
    "two forms of metrics": _bad(
        signal(kind="PredictionDrift", metrics={"buckets": "a", "categories": "b", "label": "c"}),
        "spec.analysis.signals[0].metrics",
        _ONE_FORM,
    ),
    "categories without a label": _bad(
        signal(kind="PredictionDrift", metrics={"categories": "b"}), "spec.analysis.signals[0].metrics", _ONE_FORM
    ),
    "no metrics in metrics": _bad(signal(kind="Errors", metrics={}), "spec.analysis.signals[0].metrics", _ONE_FORM),
    "a label of ours": _bad(
        signal(kind="PredictionDrift", metrics={"categories": "b", "label": "pod"}),
        "spec.analysis.signals[0].metrics.label",
        "name a label of the counter",
    ),
    "a label of no shape": _bad(
        signal(kind="PredictionDrift", metrics={"categories": "b", "label": "a-b"}),
        "spec.analysis.signals[0].metrics.label",
        "name a label of the counter",
    ),
    "signal weight zero": _bad(
        signal(kind="Errors", weight=0), "spec.analysis.signals[0].weight", "should be greater than or equal to 1"
    ),
    "signal weight of 101": _bad(
        signal(kind="Errors", weight=101), "spec.analysis.signals[0].weight", "should be less than or equal to 100"
    ),
    "worse on Query": _bad(
        signal(kind="Query", query="up", max=1, worse="Lower"), "spec.analysis.signals[0]", "worse belongs to signals"
    ),
    "slo of zero": _bad(signal(kind="Errors", slo="0%"), "spec.analysis.signals[0]", "slo must be above zero"),
    "slo on Query": _bad(
        signal(kind="Query", query="up", max=1, slo="1%"), "spec.analysis.signals[0]", "slo belongs to signals"
    ),
    "slo of a whole histogram": _bad(
        signal(kind="Latency", slo="1%"), "spec.analysis.signals[0]", "slo of a Latency signal needs bound"
    ),
    "comparison of nothing": _bad(
        signal(kind="Comparison"), "spec.analysis.signals[0]", "a Comparison needs query with $selector"
    ),
    "comparison of one side": _bad(
        signal(kind="Comparison", query="max(up)"), "spec.analysis.signals[0]", "a Comparison needs query with $sel"
    ),
    "comparison with bounds": _bad(
        signal(kind="Comparison", query="max(up{$selector})", max=1), "spec.analysis.signals[0]", "max belongs to sign"
    ),
    "unacceptable drift": _bad(
        signal(kind="PredictionDrift", metrics={"buckets": "a"}, unacceptable="1%"),
        "spec.analysis.signals[0]",
        "unacceptable belongs to signals of kind Errors",
    ),
    "drift of no feature": _bad(signal(kind="FeatureDrift"), "spec.analysis.signals[0]", "FeatureDrift needs feature"),
    "reference on Errors": _bad(
        signal(kind="Errors", reference=REFERENCE), "spec.analysis.signals[0]", "reference belongs to signals"
    ),
    "query too long": _bad(
        signal(kind="Query", query="x" * 1025, max=1), "spec.analysis.signals[0].query", "may not be more than 1024"
    ),
}

BAD_NAMES = {
    "46 characters": "a" * 46,
    "begins with a digit": "7fraud",
    "a dot": "fraud.v1",
}

GOOD = {
    "the least": MINIMAL,
    "45 steps and a last weight of 100": steps(*[{"weight": weight} for weight in range(1, 46)], {"weight": 100}),
    "all of a day's durations": rollout(maxWait="1.5h", keepOld="0s", progressDeadline="1h30m0.5s"),
    "no pods": minimal(replicas=0),
    "smoke": steps(SMOKE, {"weight": 5}),
    "a gate of pods that speak http": smoke(contract="Report") | {"service": {"port": 80, "appProtocol": "http"}},
    "only a contract": smoke(contract="Require") | {"runtime": "mlserver"},
    "anything as an expectation": asked(
        expect={
            "status": 200,
            "body": "ok",
            "jsonPath": [
                {"path": "$.a", "equals": [1, 2.5], "tolerance": 0.1},
                {"path": "$.b", "equals": {"c": "d"}},
                {"path": "$.e", "equals": False},
                {"path": "$.error", "equals": None},
                {"path": "$..f", "min": 0, "max": 0},
            ],
            "jsonSchema": {"type": "object", "properties": {"a": {"items": {"minimum": 0}}}},
        }
    ),
    "a whole gate": smoke(
        requests=[{"path": "/v1/x?y=1", "method": "PUT", "headers": {"X-Key": "v"}, "body": "{}"}],
        golden={"requests": [{"path": "/"}], "outputs": ["$.predictions"], "tolerance": 0.5},
        contract="Report",
        warmUp={"times": 20},
        timeout="2s",
        attempts=1,
    ),
    "reserved fields that ask for nothing": minimal(hooks=[], variants=[], deletionProtection=False),
    "a named target port": minimal(service={"port": 8080, "targetPort": "http", "appProtocol": "kubernetes.io/h2c"}),
    "equal weights": steps({"weight": 5}, {"weight": 5, "name": "again"}, {"approval": {}}),
    "margin equal to unacceptable": signal(kind="Errors", margin="0.5%", unacceptable="0.005"),
    "no margin but something unacceptable": signal(kind="Errors", margin="0", unacceptable="1%"),
    "bounds that meet": signal(kind="Query", query="up", min=1, max=1),
    "slo": signal(kind="Errors", slo="5%", weight=100),
    "slo of a bound": signal(kind="Latency", bound="1s", slo="5%"),
    "the whole histogram": signal(kind="Latency", metrics={"buckets": "mine_seconds_bucket"}),
    "client errors": signal(kind="ClientErrors"),
    "implausible": signal(kind="Implausible", metrics={"total": "a", "bad": 'a{why!=""}'}),
    "accuracy": signal(kind="Accuracy", metrics={"total": "a", "bad": "b"}, action="Rollback"),
    "drift of a histogram": signal(kind="PredictionDrift", metrics={"buckets": "score_bucket"}, margin="0.2"),
    "drift of categories": signal(
        kind="FeatureDrift", feature="country", metrics={"categories": "seen_total", "label": "country"}
    ),
    "a comparison": signal(kind="Comparison", query="max(up{$selector})", worse="Lower", margin="20%"),
    "errors as a mesh counts them": signal(kind="Errors", source="istio"),
    "a gauge that may not be old": signal(kind="Query", query="min(p{})", min=0.05, maxAge="90m", updated="max(t)"),
    "a compared gauge that may not be old": signal(kind="Comparison", query="max(d{$selector})", maxAge="5m"),
    "data from the server's own metrics": signals(
        {"name": "drift", "kind": "PredictionDrift"},
        {"name": "age", "kind": "FeatureDrift", "feature": "age"},
        {"name": "odd", "kind": "Implausible"},
        {"name": "right", "kind": "Accuracy"},
    ),
    **{
        f"a model at {uri}": model(uri=uri)
        for uri in (
            "s3://models",
            "s3://models/fraud 7/a,b",
            "gs://models.example/x/",
            "az://c@account.blob.core.windows.net/x",
            "https://h:8443/a/b.bin?versionId=7",
            "hf://owner/name@refs%2Fpr%2F1/sub/path",
            "oci://h:5000/a/b-c/d:v1.0",
            "oci://h/a@sha256:" + "a" * 64,
            "models:/fraud model/7",
            "models:/fraud@champion",
            "pvc://weights.of.all",
            "pvc://weights/fraud/7/",
        )
    },
    "strict": analysis(strict=True),
    "unknown fields of a pod": containers(CONTAINER | {"resources": {"limits": {"cpu": 1}}, "future": [1]}),
}

RESERVED = {
    "split Gateway": (gateway(parentRefs=[{"name": "g", "sectionName": "web"}]), "spec.traffic.split"),
    "routeRef": (gateway(routeRef={"kind": "HTTPRoute", "name": "r", "rule": "predict"}), "spec.traffic.split"),
    "sessionAffinity": (minimal(traffic={"sessionAffinity": {"cookie": "x"}}), "spec.traffic.sessionAffinity"),
    "shadow": (steps(SHADOW | {"atLeast": "10m"}, {"weight": 5}), "spec.rollout.steps[0].shadow"),
    "smoke on the node's network": (
        smoke(contract="Report") | {"template": {"spec": {"hostNetwork": True, "containers": [dict(CONTAINER)]}}},
        "spec.template.spec.hostNetwork",
    ),
    **{
        f"smoke of pods that speak {protocol}": (
            smoke(contract="Report") | {"service": {"port": 80, "appProtocol": protocol}},
            "spec.service.appProtocol",
        )
        for protocol in ("https", "HTTPS", "kubernetes.io/h2c", "grpc", "http2")
    },
    "contract of a protocol without metadata": (smoke(contract="Require"), "spec.rollout.steps[0].smoke.contract"),
    "match": (steps({"match": {"headers": [{"name": "x"}]}}, {"weight": 5}), "spec.rollout.steps[0].match"),
    "waiting at 100": (steps({"weight": 50}, {"weight": 100, "atLeast": "5m"}), "spec.rollout.steps[1].atLeast"),
    "a step after 100": (steps({"weight": 5}, {"weight": 100}, {"approval": {}}), "spec.rollout.steps[1]"),
    "only 100": (steps({"weight": 100}), "spec.rollout.steps"),
    "bake": (rollout(bake={"for": "24h", "holdback": 5}), "spec.rollout.bake"),
    "policy": (rollout(policy="careful"), "spec.rollout.policy"),
    "InPlace": (rollout(capacity="InPlace"), "spec.rollout.capacity"),
    "minAvailable": (rollout(capacity="InPlace", minAvailable=1), "spec.rollout.minAvailable"),
    "canaryReplicas": (rollout(canaryReplicas=2), "spec.rollout.canaryReplicas"),
    "disabled": (signal(disabled=True), "spec.analysis.signals[0].disabled"),
    "hooks": (minimal(hooks=[{"name": "tell", "url": "https://hook.example"}]), "spec.hooks"),
    "notifications": (minimal(notifications=[{"name": "chat", "to": ["a"]}]), "spec.notifications"),
    "onDrift": (minimal(onDrift={"retrain": {"job": "x"}}), "spec.onDrift"),
    "variants": (minimal(variants=[{"name": "b", "weight": 10}]), "spec.variants"),
    "dependsOn": (minimal(dependsOn=[{"name": "features"}]), "spec.dependsOn"),
    "deletionProtection": (minimal(deletionProtection=True), "spec.deletionProtection"),
}
