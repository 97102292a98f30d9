"""Real model servers from the Python index, each in an environment of its own, to compare the presets with."""
