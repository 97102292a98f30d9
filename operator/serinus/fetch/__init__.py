"""The program ``serinus fetch``: brings a model's files from their store into a directory, whole or not at all.

It runs in the user's pod with the user's rights, never in the operator. ``run`` is its shell; ``uri``, ``paths``,
``tree``, ``pins``, ``ranges`` and ``masking`` are pure; the other modules know one kind of store each.
"""
