"""Serinus: a Kubernetes operator that rolls out models, judges their canaries by evidence, and promotes or rolls back."""
