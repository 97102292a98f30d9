"""The servers, and where the preset of each is to count what it answers."""

from servers.mix import Answer, Sort
from servers.server import Ready, Server
from servers.starting import bentoml, kserve, mlserver, ray, torchserve, uvicorn


def _x(value: float) -> object:
    return {"x": value}


def _instances(value: float) -> object:
    return {"instances": [[value]]}


def _tensor(value: float) -> object:
    return {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [value]}]}


_OK = Answer(status=200, errors="total", client_errors="total", latency="fast")
_LATE = Answer(status=200, errors="total", client_errors="total", latency="slow")
_FAILED = Answer(status=500, errors="bad", client_errors="total", latency="fast")
_REFUSED = Answer(status=422, errors="total", client_errors="bad", latency="fast")
_NOT_COUNTED = Answer(status=404)
_PROBED = Answer(status=200)

_WEB = {
    Sort.GOOD: _OK,
    Sort.SLOW: _LATE,
    Sort.FAILING: _FAILED,
    Sort.MALFORMED: _REFUSED,
    Sort.INVALID: _REFUSED,
    Sort.UNKNOWN: Answer(status=404, errors="total", client_errors="bad", latency="fast"),
    Sort.PROBE: _PROBED,
}

# KServe counts the calls of the model's predict; what fails in preprocess is told a minute later, broken JSON nowhere.
_KSERVE = {
    Sort.GOOD: Answer(status=200, errors="total", latency="fast"),
    Sort.SLOW: Answer(status=200, errors="total", latency="slow"),
    Sort.FAILING: Answer(status=500, errors="bad", latency="fast"),
    Sort.MALFORMED: Answer(status=400),
    Sort.INVALID: Answer(status=400, errors="lost"),
    Sort.UNKNOWN: _NOT_COUNTED,
    Sort.NEIGHBOUR: Answer(status=500),
    Sort.PROBE: _PROBED,
}

SERVERS = (  # the small ones first: they are tried while the large ones are installed
    Server(
        name="fastapi-instrumentator",
        preset="fastapi-instrumentator",
        packages="fastapi",
        title="prometheus-fastapi-instrumentator 8.1.0",
        command=uvicorn("instrumentator_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        own_metrics_port=False,
        answers=_WEB,
    ),
    Server(
        name="generic",
        preset="generic",
        packages="fastapi",
        title="prometheus-client 0.26.0",
        command=uvicorn("generic_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/healthz",
        own_metrics_port=False,
        answers=_WEB,
    ),
    Server(
        name="starlette-exporter",
        preset="starlette-exporter",
        packages="fastapi",
        title="starlette-exporter 0.24.0",
        command=uvicorn("starlette_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        own_metrics_port=False,
        answers={**_WEB, Sort.UNKNOWN: _NOT_COUNTED},
    ),
    Server(
        name="opentelemetry-seconds",
        preset="opentelemetry-seconds",
        packages="opentelemetry",
        title="opentelemetry-instrumentation-fastapi 0.66b2",
        command=uvicorn("opentelemetry_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        variables={"METRICS_PORT": "$METRICS", "OTEL_SEMCONV_STABILITY_OPT_IN": "http"},
        answers=_WEB,
    ),
    Server(
        name="opentelemetry-milliseconds",
        preset="opentelemetry-milliseconds",
        packages="opentelemetry",
        title="opentelemetry-instrumentation-fastapi 0.66b2",
        command=uvicorn("opentelemetry_app"),
        body=_x,
        path="/predict",
        unknown="/nosuch",
        probe="/health",
        variables={"METRICS_PORT": "$METRICS"},
        answers=_WEB,
    ),
    Server(
        name="torchserve",
        preset="torchserve",
        packages="torchserve",
        title="torchserve 0.12.0",
        command=torchserve,
        body=_x,
        path="/predictions/iris",
        answer_path="$",
        unknown="/predictions/nosuch",
        probe="/ping",
        needs="java",
        variables={"LOG_LOCATION": "$HOME/logs", "METRICS_LOCATION": "$HOME/logs", "TEMP": "$HOME"},
        answers={
            Sort.GOOD: Answer(status=200, errors="total"),
            Sort.SLOW: Answer(status=200, errors="total"),
            Sort.FAILING: Answer(status=503, errors="bad"),
            Sort.MALFORMED: Answer(status=503, errors="bad"),
            Sort.INVALID: Answer(status=503, errors="bad"),
            Sort.UNKNOWN: _NOT_COUNTED,
            Sort.PROBE: _PROBED,
        },
    ),
    Server(
        name="mlserver",
        preset="mlserver",
        packages="mlserver",
        title="mlserver 1.7.1",
        command=mlserver,
        body=_tensor,
        path="/v2/models/iris/infer",
        answer_path="$.outputs[0].data[0]",
        neighbour="/v2/models/neighbour/infer",
        unknown="/v2/models/nosuch/infer",
        probe="/v2/models/iris/ready",
        answers={
            **_WEB,
            # Without a model: its REST counters do not tell models apart.
            Sort.MALFORMED: Answer(status=422, client_errors="bad", latency="fast"),
            Sort.INVALID: Answer(status=422, client_errors="bad", latency="fast"),
            Sort.UNKNOWN: Answer(status=404, client_errors="bad", latency="fast"),
            Sort.NEIGHBOUR: Answer(status=500, client_errors="total", latency="fast"),
        },
    ),
    Server(
        name="bentoml",
        preset="bentoml",
        packages="bentoml",
        title="bentoml 1.4.39",
        command=bentoml("bentoml_app"),
        body=_x,
        path="/predict",
        answer_path="$",
        unknown="/nosuch",
        probe="/readyz",
        own_metrics_port=False,
        variables={"BENTOML_HOME": "$HOME/bentoml", "BENTOML_DO_NOT_TRACK": "True"},
        answers={
            **_WEB,
            Sort.MALFORMED: Answer(status=400, errors="total", client_errors="bad", latency="fast"),
            Sort.INVALID: Answer(status=400, errors="total", client_errors="bad", latency="fast"),
        },
    ),
    Server(
        name="kserve-v1",
        preset="kserve",
        packages="kserve",
        title="kserve 0.21.0",
        command=kserve("kserve_app"),
        body=_instances,
        path="/v1/models/iris:predict",
        answer_path="$.predictions[0][0]",
        neighbour="/v1/models/neighbour:predict",
        unknown="/v1/models/nosuch:predict",
        probe="/v1/models/iris",
        own_metrics_port=False,
        shows_itself_idle=False,
        answers=_KSERVE,
    ),
    Server(
        name="kserve-v2",
        preset="kserve",
        packages="kserve",
        title="kserve 0.21.0",
        command=kserve("kserve_app"),
        body=_tensor,
        path="/v2/models/iris/infer",
        answer_path="$.outputs[0].data[0]",
        neighbour="/v2/models/neighbour/infer",
        unknown="/v2/models/nosuch/infer",
        probe="/v2/models/iris/ready",
        own_metrics_port=False,
        shows_itself_idle=False,
        answers={**_KSERVE, Sort.MALFORMED: Answer(status=422), Sort.INVALID: Answer(status=422)},
    ),
    Server(
        name="ray-serve",
        preset="ray-serve",
        packages="ray-serve",
        title="ray 2.60.0",
        command=ray,
        body=_x,
        path="/iris",
        neighbour="/neighbour",
        unknown="/nosuch",
        probe="/-/healthz",
        ready=Ready(path="/-/routes", holds='"/iris"'),  # its probe answers before an application is there
        metrics_host="127.0.0.2",
        variables={"RAY_metrics_report_interval_ms": "1000", "RAY_USAGE_STATS_ENABLED": "0"},
        answers={
            **_WEB,
            # Whatever the application raises is a 500 to Ray, a body that is no JSON too.
            Sort.MALFORMED: _FAILED,
            Sort.INVALID: _FAILED,
            Sort.UNKNOWN: _NOT_COUNTED,
            Sort.NEIGHBOUR: Answer(status=500),
        },
    ),
)
