"""Serinus: a Kubernetes operator that rolls out models and judges their canaries by evidence."""
