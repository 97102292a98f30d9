"""What a spec asks for about its model's files, as a value of a rollout. Knows no pods and no stores."""

from serinus.api.serving import Model
from serinus.rollout.artifact import MOUNT_PATH, Artifact


def make_artifact(model: Model | None) -> Artifact | None:
    """Return what a spec's model asks to be fetched or mounted; None if image and template bring the model."""
    if model is None or model.uri is None:
        return None
    return Artifact(
        uri=model.uri,
        digest=model.digest,
        track=bool(model.track),
        mount_path=model.mount_path or MOUNT_PATH,
        secret=model.secret_ref.name if model.secret_ref is not None else None,
    )
