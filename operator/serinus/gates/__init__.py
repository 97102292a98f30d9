"""Gates: requests to canary pods before any user reaches them, and what their answers must be.

``checks``, ``contracts``, ``distance`` and ``readiness`` are pure; ``send`` speaks HTTP, ``confined`` runs users'
JSONPaths and schemas in a process of its own, ``gate`` puts them in order.
"""
