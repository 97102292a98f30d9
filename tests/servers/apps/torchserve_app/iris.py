"""A custom handler of TorchServe that needs no PyTorch."""

import json

from behaviour import answer


def handle(data, context):
    if data is None:
        return None
    return [answer(float(_body(each)["x"])) for each in data]


def _body(row):
    body = row.get("body") or row.get("data")
    return body if isinstance(body, dict) else json.loads(body)
