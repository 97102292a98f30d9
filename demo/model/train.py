"""Train the demo's three models on the handwritten digits that ship with scikit-learn.

Run once, when the image is built, with the image's own Python and scikit-learn: ``python3 train.py DIRECTORY``. Writes
one folder per model for ``mlserver start``, the measured accuracies, and the held-out images as inference requests.
"""

import json
import sys
from pathlib import Path

import joblib
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


def main(directory: Path) -> None:
    """Train, measure and write everything."""
    images, digits = load_digits(return_X_y=True)
    train_images, test_images, train_digits, test_digits = train_test_split(
        images, digits, test_size=0.3, random_state=0, stratify=digits
    )
    accuracies = {}
    for name, estimator, names in MODELS:
        estimator.fit(train_images, train_digits)
        accuracies[name] = round(float(estimator.score(test_images, test_digits)), 4)
        write_model(directory / name, estimator, names)
    requests = [json.dumps(make_request(image.tolist())) for image in test_images]
    (directory / "requests.jsonl").write_text("\n".join(requests) + "\n")
    (directory / "accuracies.json").write_text(json.dumps(accuracies, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
