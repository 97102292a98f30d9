"""One module per sort of signal: from a measurement to what the signal says at this tick."""
