"""Merge patches (RFC 7386) as pure functions over dicts."""

from serinus.cluster.kinds import Manifest


def make_merge_patch(before: Manifest, after: Manifest) -> Manifest:
    """Return the merge patch that turns ``before`` into ``after``; empty if they are equal.

    A field that vanishes becomes None, a list that differs is given whole. ``after`` must hold no None: a merge
    patch can't say "set to null".
    """
    patch: Manifest = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := make_merge_patch(old, value):
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


def merge(target: Manifest, patch: Manifest) -> Manifest:
    """Return ``target`` with a merge patch applied; neither argument is changed."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            old = merged.get(key)
            merged[key] = merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[key] = value
    return merged
