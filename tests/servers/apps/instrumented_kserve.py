"""The model on KServe's server, with serinus-instrument."""

from kserve_app import Doubling, serve

from serinus_instrument.adapters.kserve import instrumented

if __name__ == "__main__":
    serve([instrumented(Doubling("iris"), plausible=(0, 5))])
