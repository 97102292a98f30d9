"""Translate between the wire (specs, status, reports as JSON) and the values of a rollout.

The pydantic models here are the single source: the operator parses with them and the CRDs are generated from them.
Nothing in this package does I/O, reads a clock or knows a Kubernetes client.
"""
