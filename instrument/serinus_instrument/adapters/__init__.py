"""One thin file per model server; each imports its framework only when it is used."""
