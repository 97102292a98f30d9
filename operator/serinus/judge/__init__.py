"""From measurements to verdicts: which signals, which keys, which proof. Pure; knows no cluster and no Prometheus."""
