"""Around a model and around a server: nothing is changed, gates are left out, outcomes find their revision."""

import asyncio
import gc
import inspect
import json
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from instrument.reading import Shown
from serinus_instrument import (
    InstrumentMiddleware,
    declare,
    instrument,
    observed,
    own_revision,
    recorder_behind,
    uncounted,
)
from serinus_instrument.recorder import Recorder
from serinus_instrument.revisions import MOST_REVISIONS

OURS, OTHERS = "bcdfghjklm", "npqrstvwxz"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    monkeypatch.setenv("SERINUS_REVISION", OURS)
    monkeypatch.setenv("SERINUS_MODEL", "fraud")
    return CollectorRegistry()


class Model:
    """One that remembers, fails and has attributes."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.threshold = 0.5

    def predict(self, rows: Any, bias: float = 0.0) -> Any:
        self.calls.append(rows)
        if rows is None:
            raise LookupError("no rows")
        return np.full(len(rows), bias)

    def close(self) -> str:
        return "closed"


class TestWrapping:
    def test_all_else_is_as_before(self, registry):
        model = Model()
        wrapped = instrument(model, registry=registry)
        rows = [[1.0]]
        assert wrapped.predict(rows, bias=0.25).tolist() == [0.25]
        assert wrapped.predict(rows=rows).tolist() == [0.0]
        assert model.calls == [rows, rows]
        assert model.calls[0] is rows
        wrapped.threshold = 0.7
        assert (model.threshold, wrapped.close(), hasattr(wrapped, "predict_proba")) == (0.7, "closed", False)
        assert not callable(wrapped)
        assert Shown(registry, "fraud")("serinus_predictions_total") == 2

    def test_a_failure_comes_through_and_is_no_prediction(self, registry):
        with pytest.raises(LookupError, match="no rows"):
            instrument(Model(), registry=registry).predict(None)
        assert Shown(registry, "fraud")("serinus_predictions_total") == 0

    def test_a_fault_of_ours_does_not_reach_the_server(self, registry, monkeypatch, caplog):
        model = instrument(lambda rows: [0.5], registry=registry)
        monkeypatch.setattr("serinus_instrument.recorder.read_inputs", lambda *_: 1 / 0)
        assert [model([[1.0]]) for _ in range(5)] == [[0.5]] * 5
        assert Shown(registry, "fraud")("serinus_instrument_errors_total", reason="internal") == 5
        assert len(caplog.records) == 1

    def test_an_input_that_refuses_to_be_looked_at(self, registry):
        class Vicious:
            def __array__(self, *_):
                raise RuntimeError("hands off")

            @property
            def columns(self):
                raise RuntimeError("hands off")

        assert instrument(lambda rows: rows, registry=registry)(Vicious()).__class__ is Vicious

    def test_coroutines(self, registry):
        class Awaited:
            async def predict(self, rows):
                await asyncio.sleep(0)
                return [0.5]

        @observed(name="function", registry=registry)
        async def score(rows):
            return [0.5, 0.6]

        model = instrument(Awaited(), registry=registry)
        assert inspect.iscoroutinefunction(model.predict)
        assert asyncio.run(model.predict([[1.0]])) == [0.5]
        assert asyncio.run(score([[1.0]] * 2)) == [0.5, 0.6]
        assert Shown(registry, "fraud")("serinus_predictions_total") == 1
        assert Shown(registry, "function")("serinus_predictions_total") == 2

    def test_the_decorator_keeps_name_and_signature(self, registry):
        class Service:
            @observed(registry=registry, features=["age"])
            def score(self, rows: list[float], flag: bool = False) -> list[float]:
                """Score."""
                return [0.5 for _ in rows]

        assert Service.score.__doc__ == "Score."
        assert list(inspect.signature(Service.score).parameters) == ["self", "rows", "flag"]
        Service().score([[7.0]], flag=True)
        assert Shown(registry, "fraud")("serinus_feature_sum", feature="age") == 7

    def test_bare_decorator(self, registry, monkeypatch):
        monkeypatch.setattr("serinus_instrument.exposition.REGISTRY", registry)

        @observed
        def score(rows):
            return [0.5]

        score([[1.0]])
        assert Shown(registry, "fraud")("serinus_predictions_total") == 1

    def test_what_cannot_predict_is_refused(self, registry):
        with pytest.raises(ValueError, match="has none of the methods predict"):
            instrument(object(), registry=registry)
        with pytest.raises(TypeError, match="is not instrumented"):
            recorder_behind(Model())

    def test_another_model_under_the_same_name_begins_anew(self, registry):
        instrument(lambda rows: [0.5], registry=registry)([[1.0]])
        instrument(lambda rows: [0.5], registry=registry)([[1.0]])
        assert Shown(registry, "fraud")("serinus_predictions_total") == 2
        instrument(lambda rows: [0.5], plausible=(0, 1), registry=registry)([[1.0]])
        assert Shown(registry, "fraud")("serinus_predictions_total") == 1

    def test_threads_lose_nothing(self, registry):
        model = instrument(lambda rows: [0.5] * len(rows), registry=registry)

        def work() -> None:
            for _ in range(300):
                model([[1.0, "de"]])
                model(np.ones((20, 2)))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        while any(each.is_alive() for each in threads):
            Shown(registry, "fraud")
            for each in threads:
                each.join(0.01)
        shown = Shown(registry, "fraud")
        assert shown("serinus_predictions_total") == 4 * 300 * 21
        assert shown("serinus_feature_count", feature="f0") == 4 * 300 * 21


class TestOutcomes:
    @pytest.mark.parametrize(
        ("predicted", "truth", "right"),
        [
            (1, 1, True), (1, 1.0, True), (0.7, 0.71, True), (0.7, 0.8, False), ("cat", "cat", True),
            ("cat", "dog", False), (True, True, True), (True, 1, True), (True, "true", True), ("1", 1, True),
            (np.str_("cat"), "cat", True), (float("nan"), 1, False), (None, 1, False), (3, "3", True),
            (np.float32(0.7), 0.7, True),
        ],
    )  # fmt: skip
    def test_right_or_wrong(self, registry, predicted, truth, right):
        recorder = declare(tolerance=0.05, registry=registry)
        recorder.outcome(predicted, truth)
        assert Shown(registry, "fraud").all("serinus_outcomes_total", "revision", "result") == {
            f"{OURS}/{'right' if right else 'wrong'}": 1
        }

    @pytest.mark.parametrize(
        ("predicted", "truth", "right"),
        [
            (0.9, 1, True), (0.9, 0, False), (0.2, 0, True), (0.2, True, False), (0.7, 1, True), (0.699, 1, False),
            (1.0, 1, True), (float("nan"), 0, False), (None, 0, False), (np.float32(0.9), 1.0, True),
        ],
    )  # fmt: skip
    def test_scores_are_right_on_the_side_of_the_truth(self, registry, predicted, truth, right):
        declare(threshold=0.7, registry=registry).outcome(predicted, truth)
        assert Shown(registry, "fraud").all("serinus_outcomes_total", "result") == {"right" if right else "wrong": 1}

    @pytest.mark.parametrize(
        ("declared", "predicted", "truth", "told"),
        [
            ({}, 0.9, 1, "threshold=0.5"),
            ({}, 0.9, 0.9, "threshold=0.5"),
            ({}, np.float32(0.9), 0, "tolerance="),
            ({}, 1, None, "no truth"),
            ({}, None, None, "no truth"),
            ({"threshold": 0.5}, 0.9, "fraud", "0 or 1"),
        ],
    )
    def test_nobody_guesses_what_is_right(self, registry, caplog, declared, predicted, truth, told):
        declare(registry=registry, **declared).outcome(predicted, truth)
        shown = Shown(registry, "fraud")
        assert shown.all("serinus_outcomes_total", "result") == {}
        assert shown("serinus_instrument_errors_total", reason="outcome") == 1
        assert told in caplog.text

    @pytest.mark.parametrize(
        "declared", [{"threshold": 0.5, "tolerance": 0.1}, {"threshold": float("nan")}, {"tolerance": -1.0}]
    )
    def test_what_makes_no_sense_is_refused_at_once(self, registry, declared):
        with pytest.raises(ValueError, match=r"threshold=|tolerance="):
            declare(registry=registry, **declared)

    def test_they_belong_to_the_revision_that_predicted(self, registry):
        recorder = declare(registry=registry)
        recorder.outcome(1, 0, OTHERS)
        recorder.outcome(1, 1)
        shown = Shown(registry, "fraud")
        assert shown.all("serinus_outcomes_total", "revision", "result") == {f"{OTHERS}/wrong": 1, f"{OURS}/right": 1}
        assert shown("serinus_outcomes_total", revision=OTHERS, result="right") == 0

    def test_malformed_revisions_count_together(self, registry):
        recorder = declare(registry=registry)
        for text in ["short", "has-hyphens-x", "AEIOUAEIOU", "b" * 19, "x\n" * 6, "?"]:
            recorder.outcome(1, 1, text)
        assert Shown(registry, "fraud").all("serinus_outcomes_total", "revision") == {"__other__": 6}

    def test_the_revision_not_named_for_longest_is_forgotten(self, registry):
        recorder = declare(registry=registry)
        recorder.outcome(1, 1)
        made_up = [f"bcdfghjk{'bcdfghjklm'[i // 10]}{'bcdfghjklm'[i % 10]}" for i in range(40)]
        for each in made_up:
            recorder.outcome(1, 1, each)
            recorder.outcome(1, 0, OTHERS)  # the canary's labels go on coming
        found = Shown(registry, "fraud").all("serinus_outcomes_total", "revision", "result")
        assert len(found) == MOST_REVISIONS
        assert found[f"{OTHERS}/wrong"] == 40
        assert found[f"{OURS}/right"] == 1
        assert {f"{each}/right" for each in made_up[-18:]} <= found.keys()
        assert Shown(registry, "fraud")("serinus_outcomes_total", revision=made_up[0], result="wrong") is None

    def test_without_the_operator_the_revision_is_unknown(self, monkeypatch):
        monkeypatch.setenv("SERINUS_REVISION", "anything")
        assert own_revision() == "unknown"


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Predict what is in the body, in a thread, as web frameworks do."""
    body = (await receive())["body"]
    answer = await asyncio.to_thread(_echo.model, json.loads(body or b"[]"))  # type: ignore[attr-defined]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


class TestMiddleware:
    @pytest.fixture
    def app(self, registry: CollectorRegistry) -> InstrumentMiddleware:
        return self.around(registry, open_to_all=True)

    @staticmethod
    def around(registry: CollectorRegistry, **options: Any) -> InstrumentMiddleware:
        _echo.model = instrument(lambda rows: [0.5] * len(rows), registry=registry)  # type: ignore[attr-defined]
        return InstrumentMiddleware(_echo, registry=registry, **options)

    @staticmethod
    def ask(app: Any, body: bytes, path: str = "/predict", **headers: str) -> tuple[int, dict[str, str], Any]:
        sent: list[dict[str, Any]] = []
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            return next(given)

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        asyncio.run(app({"type": "http", "method": "POST", "path": path, "headers": raw}, receive, send))
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], told, json.loads(sent[1]["body"])

    def test_answers_name_the_revision(self, app):
        assert self.ask(app, b"[[1.0]]") == (200, {"x-own": "1", "x-serinus-revision": OURS}, [0.5])

    def test_requests_are_measured(self, app, registry):
        self.ask(app, b"[[1.0], [2.0]]")
        shown = Shown(registry, "fraud")
        assert shown("serinus_request_bytes_sum") == len(b"[[1.0], [2.0]]")
        assert shown("serinus_request_rows_sum") == 2
        self.ask(app, b"")  # a probe, or whatever else has no body
        assert Shown(registry, "fraud")("serinus_request_bytes_count") == 1

    def test_gate_requests_do_not_count(self, app, registry):
        before = Shown(registry, "fraud")._all
        assert self.ask(app, b"[[1.0]]", X_Serinus_Gate=f"{OURS}/1")[2] == [0.5]
        assert self.ask(app, b"[[1.0]]", x_serinus_gate="")[2] == [0.5]
        assert Shown(registry, "fraud")._all == before
        self.ask(app, b"[[1.0]]", X_Serinus_Gates="1")
        assert Shown(registry, "fraud")("serinus_predictions_total") == 1

    def test_nothing_counts_inside_uncounted(self, app, registry):
        with uncounted():
            _echo.model([[1.0]])
            with uncounted(False):
                _echo.model([[1.0]])
        assert Shown(registry, "fraud")("serinus_predictions_total") == 0

    def test_outcomes_of_any_revision_arrive_at_any_pod(self, app, registry):
        late = [
            {"revision": OTHERS, "predicted": 1, "truth": 0},
            {"revision": OTHERS, "predicted": "cat", "truth": "cat"},
            {"predicted": 5, "truth": 5},
        ]
        assert self.ask(app, json.dumps(late).encode(), "/serinus/outcomes")[::2] == (200, {"counted": 3})
        shown = Shown(registry, "fraud")
        assert shown.all("serinus_outcomes_total", "revision", "result") == {
            f"{OTHERS}/wrong": 1, f"{OTHERS}/right": 1, f"{OURS}/right": 1}  # fmt: skip
        assert shown("serinus_request_bytes_count") == 0

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"no", b"[1]", b'[{"predicted": 1}]', b'{"truth": 1}', b'{"predicted": 1, "truth": [1]}',
            b'{"predicted": 1, "truth": 1, "revision": 7}', b'{"predicted": 0.9, "truth": 1}',
            b"[" + b",".join([b'{"predicted":1,"truth":1}'] * 10_001) + b"]",
        ],
        ids=range(9),
    )  # fmt: skip
    def test_what_is_no_outcome_is_refused_as_a_whole(self, app, registry, body):
        good_and_bad = b'[{"predicted": 1, "truth": 1}, {}]'
        for each in (body, good_and_bad):
            status, _, told = self.ask(app, each, "/serinus/outcomes")
            assert status == 400
            assert any(each in told["error"] for each in ('"predicted": 1', "at most", "threshold="))
        assert Shown(registry, "fraud").all("serinus_outcomes_total", "result") == {}

    @pytest.mark.parametrize("open_to_all", [False, True])
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"authorization": "Bearer s3cret"}, 200),
            ({"Authorization": "bearer  s3cret "}, 200),
            ({}, 401),
            ({"authorization": "s3cret"}, 401),
            ({"authorization": "Basic s3cret"}, 401),
            ({"authorization": "Bearer s3cre"}, 401),
            ({"authorization": "Bearer "}, 401),
            ({"authorization": "Bearer s3cr\u00e9t"}, 401),
        ],
    )
    def test_a_token_guards_outcomes(self, registry, monkeypatch, headers, status, open_to_all):
        monkeypatch.setenv("SERINUS_OUTCOMES_TOKEN", "s3cret\n")
        app = self.around(registry, open_to_all=open_to_all)
        outcome = json.dumps({"predicted": 1, "truth": 1}).encode()
        assert self.ask(app, outcome, "/serinus/outcomes", **headers)[0] == status
        counted = Shown(registry, "fraud").all("serinus_outcomes_total", "result")
        assert counted == ({"right": 1} if status == 200 else {})
        assert self.ask(app, b"[[1.0]]")[0] == 200, "predictions need no token"

    @pytest.mark.parametrize("token", [None, "", " "])
    def test_without_a_token_outcomes_are_closed(self, registry, monkeypatch, token):
        monkeypatch.delenv("SERINUS_OUTCOMES_TOKEN", raising=False)
        if token is not None:
            monkeypatch.setenv("SERINUS_OUTCOMES_TOKEN", token)
        outcome = json.dumps({"predicted": 1, "truth": 1}).encode()
        status, _, told = self.ask(self.around(registry), outcome, "/serinus/outcomes", authorization="Bearer ")
        assert status == 403
        assert "set SERINUS_OUTCOMES_TOKEN" in told["error"]
        assert Shown(registry, "fraud").all("serinus_outcomes_total", "result") == {}

    def test_a_body_without_end_is_refused(self, app):
        async def run() -> int:
            sent: list[Any] = []

            async def receive() -> Any:
                return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": "/serinus/outcomes", "headers": []}
            await app(scope, receive, send)
            return int(sent[0]["status"])

        assert asyncio.run(run()) == 413

    def test_other_protocols_pass(self, registry):
        seen: list[str] = []

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["type"])

        asyncio.run(InstrumentMiddleware(inner, registry=registry)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
        assert seen == ["lifespan"]


def test_recorders_are_not_kept_by_the_bookkeeping_of_forks():
    gone = weakref.ref(Recorder("passing"))
    gc.collect()
    assert gone() is None
