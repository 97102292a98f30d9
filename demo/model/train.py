"""Train models of the handwritten digits that ship with scikit-learn: three for the demo, one for the tests of drift.

Run once, when the image is built, with the image's own Python and scikit-learn: ``python3 train.py DIRECTORY``. Writes
one folder per model for ``mlserver start``, the measured accuracies, the held-out images as inference requests, the
same for a changed world, and the profile of the data that was learnt from.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# Folder, estimator, names of the digits. The third forgot the nine: about one request in ten raises.
MODELS = (
    ("first", GaussianNB(), NAMES),
    ("second", SVC(gamma=0.001), NAMES),
    ("third", SVC(gamma=0.001, C=10.0), NAMES[:-1]),
)
# Not in the demo: retrained on data in which the digits from five on are rare, as in the export of a branch whose forms
# hardly use them. It answers every request in time, and reads most high digits as low ones.
SKEWED = ("skewed", SVC(gamma=0.001), NAMES)
SKEWED_SHARE = 0.05
LOW_DIGITS = 5
DARKER = 1.15
INK_EDGES = (4.0, 4.25, 4.5, 4.75, 5.0, 5.25, 5.5, 5.75, 6.0, 6.25, 6.5)
SETTINGS = {"parallel_workers": 0, "debug": False, "metrics_port": 8082}


def write_model(folder: Path, estimator: object, names: list[str]) -> None:
    """Write what ``mlserver start FOLDER`` needs."""
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(estimator, folder / "model.joblib")
    parameters = {"uri": "./model.joblib", "extra": {"names": names}}
    model = {"name": "digits", "implementation": "digits_runtime.Digits", "parameters": parameters}
    (folder / "model-settings.json").write_text(json.dumps(model, indent=2) + "\n")
    (folder / "settings.json").write_text(json.dumps(SETTINGS, indent=2) + "\n")


def make_request(pixels: list[float]) -> dict[str, object]:
    """Make an inference request of the V2 protocol for one image of 64 grey values."""
    return {"inputs": [{"name": "image", "shape": [1, 64], "datatype": "FP32", "data": pixels}]}


def keep_skewed(digits: np.ndarray) -> np.ndarray:
    """Return which of some digits get into the skewed data set: the low ones, and a small share of the others."""
    drawn = np.random.default_rng(0).random(len(digits))
    return (digits < LOW_DIGITS) | (drawn < SKEWED_SHARE)


def make_profile(images: np.ndarray, digits: np.ndarray) -> dict[str, object]:
    """Count what was learnt from: digits by name, and images by ink (mean grey value, from 0 to 16)."""
    ink = images.mean(axis=1)
    numbers, counts = np.unique(digits, return_counts=True)
    edges = [-np.inf, *INK_EDGES, np.inf]
    # Prometheus' buckets hold their upper edge: (lower, upper].
    in_bucket = [int(((ink > lower) & (ink <= upper)).sum()) for lower, upper in pairwise(edges)]
    return {
        "schema": 1,
        "prediction": {"categories": {str(number): int(count) for number, count in zip(numbers, counts, strict=True)}},
        "features": {"ink": {"edges": list(INK_EDGES), "counts": in_bucket}},
    }


def write_requests(path: Path, images: np.ndarray) -> None:
    """Write one inference request per line."""
    path.write_text("".join(f"{json.dumps(make_request(image.tolist()))}\n" for image in images))


def main(directory: Path) -> None:
    """Train, measure and write everything."""
    images, digits = load_digits(return_X_y=True)
    train_images, test_images, train_digits, test_digits = train_test_split(
        images, digits, test_size=0.3, random_state=0, stratify=digits
    )
    accuracies = {}
    for name, estimator, names in (*MODELS, SKEWED):
        kept = keep_skewed(train_digits) if name == SKEWED[0] else slice(None)
        estimator.fit(train_images[kept], train_digits[kept])
        accuracies[name] = round(float(estimator.score(test_images, test_digits)), 4)
        write_model(directory / name, estimator, names)
    write_requests(directory / "requests.jsonl", test_images)
    # A changed world: only low digits are written any more, with a darker pen.
    changed = np.minimum(16.0, test_images[test_digits < LOW_DIGITS] * DARKER)
    write_requests(directory / "changed.jsonl", changed)
    (directory / "profile.json").write_text(json.dumps(make_profile(train_images, train_digits), indent=2) + "\n")
    (directory / "accuracies.json").write_text(json.dumps(accuracies, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
