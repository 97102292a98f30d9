"""`python -m cluster` with `tests/` on the path."""

from cluster.cli import main

main(prog_name="cluster")
