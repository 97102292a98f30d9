"""What holds for all tests: how hypothesis looks for counter-examples."""

import os

from hypothesis import HealthCheck, settings

# A busy machine is no bug of ours, so nothing fails for being slow. Continuous integration judges each change by the
# same inputs, and by many; on a developer's machine every run looks for new ones, and fewer keep it below a minute.
settings.register_profile(
    "serinus",
    deadline=None,
    max_examples=100 if "CI" in os.environ else 40,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("serinus")
