"""Count what the digits model sees and says.

A module of its own, because MLServer imports the one with the model twice, and a metric can be registered once. Both
metrics are in Prometheus' default registry, which MLServer's own endpoint shows as long as it runs without parallel
workers; ``mlserver.register`` would give a histogram with the buckets of latencies.
"""

import json
from pathlib import Path

from prometheus_client import Counter, Histogram

# What training left beside the models: with its edges, what is served can be compared with what was learnt from.
PROFILE = json.loads(Path("/models/profile.json").read_text())
INK_EDGES = PROFILE["features"]["ink"]["edges"]

PREDICTIONS = Counter("digits_predictions", "Predictions by the digit that was read.", ["digit"])
INK = Histogram("digits_ink", "Mean grey value of each image, from 0 to 16.", buckets=INK_EDGES)
