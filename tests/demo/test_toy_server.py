"""The toy server does what its environment says, and counts what it does."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from demo.toy.toy_server import Behaviour, delay_of, is_hit

SERVER = Path(__file__).parents[2] / "demo" / "toy" / "toy_server.py"


@contextmanager
def toy(**environment: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    command = [sys.executable, str(SERVER)]
    values = {**os.environ, "PORT": "0", "POD_NAME": "a-1", "REVISION": "a", **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=values) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield process, f"http://127.0.0.1:{line.split()[-1]}"
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(10)


def ask(url: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=5) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_it_answers_and_names_itself() -> None:
    with toy() as (_, url):
        status, headers, body = ask(f"{url}/predict", b"{}")
        assert (status, headers["x-pod"], headers["x-revision"]) == (200, "a-1", "a")
        assert json.loads(body)["revision"] == "a"
        assert ask(f"{url}/predict")[0] == 200
        assert ask(f"{url}/healthz")[0] == 200
        assert ask(f"{url}/elsewhere")[0] == 404


def test_it_fails_its_share_and_counts_it() -> None:
    with toy(ERROR_SHARE="0.1") as (_, url):
        statuses = [ask(f"{url}/predict", b"{}")[0] for _ in range(20)]
        metrics = ask(f"{url}/metrics")[2].decode()
    assert statuses.count(500) == 2
    assert 'http_requests_total{method="POST",path="/predict",status="500"} 2.0' in metrics
    assert 'http_requests_total{method="POST",path="/predict",status="200"} 18.0' in metrics
    assert 'http_request_duration_seconds_count{method="POST",path="/predict"} 20.0' in metrics


def test_slow_predictions_land_above_the_bucket() -> None:
    with toy(LATENCY_MS="60", SLOW_SHARE="0.5") as (_, url):
        for _ in range(4):
            ask(f"{url}/predict", b"{}")
        metrics = ask(f"{url}/metrics")[2].decode()
    assert 'http_request_duration_seconds_bucket{le="0.05",method="POST",path="/predict"} 2.0' in metrics


def test_poison_fails_everywhere() -> None:
    with toy() as (_, url):
        assert ask(f"{url}/predict", b'{"poison": true}')[0] == 500
        assert ask(f"{url}/predict", b'{"poisson": true}')[0] == 200


def test_a_burst_begins_with_a_signal_and_ends_by_itself() -> None:
    with toy(BURST_SHARE="0.5", BURST_SECONDS="0.5") as (process, url):
        assert ask(f"{url}/predict")[0] == 200
        process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 10
        statuses = []
        while statuses[-20:] != [200] * 20 or 500 not in statuses:
            assert time.monotonic() < deadline
            statuses.append(ask(f"{url}/predict")[0])
    failed = [number for number, status in enumerate(statuses) if status == 500]
    during = statuses[failed[0] : failed[-1] + 1]
    assert 0.4 <= during.count(500) / len(during) <= 0.7


def test_predictions_are_counted_by_what_they_say() -> None:
    with toy(IMPLAUSIBLE_SHARE="0.25", ERROR_SHARE="0.5") as (_, url):
        for _ in range(80):
            ask(f"{url}/predict")
        metrics = ask(f"{url}/metrics")[2].decode()
    assert "prediction_score_count 40.0" in metrics, "a failed request says nothing"
    assert "predictions_implausible_total 10.0" in metrics
    yes, no = (
        float(re.findall(rf'predictions_total{{answer="{answer}"}} (.*)', metrics)[0]) for answer in ("yes", "no")
    )
    assert yes + no == 40
    assert 24 <= yes <= 32, "seven in ten say yes"


def test_latencies_scatter_around_their_median() -> None:
    behaviour = Behaviour(latency_seconds=0.04, latency_spread=0.5)
    delays = sorted(delay_of(number, behaviour) for number in range(1000))
    assert delays[500] == pytest.approx(0.04, rel=0.01)
    assert delays[841] == pytest.approx(0.04 * math.exp(0.5), rel=0.03), "one sigma above"
    assert delay_of(3, Behaviour()) == 0.0


def test_queue_is_another_number_at_each_scrape() -> None:
    with toy(QUEUE_LENGTH="40") as (_, url):
        scrapes = [ask(f"{url}/metrics")[2].decode() for _ in range(20)]
    lengths = [float(re.findall(r"\nmodel_queue_length (.*)", metrics)[0]) for metrics in scrapes]
    assert len(set(lengths)) == 20
    assert sum(lengths) / 20 == pytest.approx(40, rel=0.05)
    assert 20 <= min(lengths) < max(lengths) <= 60


def test_it_can_stay_unready() -> None:
    with toy(READY="never") as (_, url):
        assert ask(f"{url}/healthz")[0] == 503
        assert ask(f"{url}/predict", b"{}")[0] == 200


@pytest.mark.parametrize("after", ["0", "0.2"])
def test_it_crashes_with_its_last_words(after: str) -> None:
    environment = {**os.environ, "PORT": "0", "CRASH_AFTER": after, "EXIT_CODE": "3", "LAST_WORDS": "no such model"}
    command = [sys.executable, str(SERVER)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=20)
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1] == "no such model"


def test_sigterm_ends_it_cleanly() -> None:
    with toy() as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize(("share", "total", "hits"), [(0.0, 50, 0), (0.1, 50, 5), (0.5, 7, 3), (1.0, 9, 9)])
def test_shares_are_spread_evenly(share: float, total: int, hits: int) -> None:
    assert sum(is_hit(number, share) for number in range(total)) == hits


def test_empty_variables_mean_the_default() -> None:
    assert Behaviour.from_environment({"POD_NAME": "p", "ERROR_SHARE": "", "CRASH_AFTER": ""}) == Behaviour(pod="p")
