"""How fast models come, and with how much memory: ``python -m benchmarks.fetch``."""
