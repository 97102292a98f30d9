"""The shell: what wakes the core, feeds it and carries out what it decides."""
