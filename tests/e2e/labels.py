"""A client that learns the truth late: it asks for predictions, and tells long afterwards which of them were right."""

import threading
import time
from collections import Counter, deque
from typing import Any, Self

import requests

REVISION = "X-Serinus-Revision"
TOKEN = {"Authorization": "Bearer known-to-the-tests"}


class LateLabels:
    """Steady requests in a thread of its own, each followed by its truth after a delay; a context manager.

    The truth about an input is the input itself. Each request and each batch of truths opens a connection, so that it
    reaches any pod: rarely the one that predicted.
    """

    def __init__(self, url: str, *, per_second: float, delay_seconds: float) -> None:
        self._url, self._per_second, self._delay = url, per_second, delay_seconds
        self._waiting: deque[tuple[float, dict[str, Any]]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labels", daemon=True)
        self._failure: Exception | None = None
        self.predicted: Counter[str] = Counter()
        """Answers by the revision that gave them."""
        self.told: Counter[str] = Counter()
        """Truths that were sent, by the revision that had predicted."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        begin, number = time.monotonic(), 0
        try:
            while not self._stop.wait(max(0.0, begin + number / self._per_second - time.monotonic())):
                self._ask(number % 40 / 4)
                if number % 10 == 0:
                    self._tell()
                number += 1
        except (requests.RequestException, AssertionError) as failure:
            self._failure = failure

    def _ask(self, x: float) -> None:
        answer = requests.post(f"{self._url}/predict", json={"inputs": [x]}, timeout=5)
        assert answer.ok, answer.text
        revision, predicted = answer.headers[REVISION], answer.json()["predictions"][0]
        self.predicted[revision] += 1
        due = time.monotonic() + self._delay
        self._waiting.append((due, {"revision": revision, "predicted": predicted, "truth": x}))

    def _tell(self) -> None:
        due = []
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            due.append(self._waiting.popleft()[1])
        if not due:
            return
        answer = requests.post(f"{self._url}/serinus/outcomes", json=due, headers=TOKEN, timeout=5)
        assert answer.ok, answer.text
        assert answer.json() == {"counted": len(due)}
        self.told.update(each["revision"] for each in due)
