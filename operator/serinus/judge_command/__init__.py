"""The command ``serinus judge``: measurements in, verdicts out, one JSON object per line. No cluster, no clock."""
