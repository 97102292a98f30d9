"""The shell: watch, queue, reconcile, apply."""
