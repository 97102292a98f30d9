from datetime import timedelta

import pytest

from serinus.settings import InvalidSettings, Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        {
            "SERINUS_NAMESPACES": "risk, fraud,risk",
            "SERINUS_PROMETHEUS_URL": "http://prometheus:9090/",
            "SERINUS_PROMETHEUS_TOKEN_FILE": "/token",
            "SERINUS_SCRAPE_TIMEOUT": "1m30s",
            "SERINUS_WORKERS": "4",
            "SERINUS_LEADER_ELECTION": "true",
            "SERINUS_POD_NAMESPACE": "serinus-system",
            "SERINUS_POD_NAME": "serinus-0",
            "SERINUS_LOG_LEVEL": "DEBUG",
            "SERINUS_LOG_FORMAT": "json",
            "SERINUS_LIVENESS_PORT": "0",
            "SERINUS_METRICS_PORT": "9000",
            "SERINUS_FETCH_IMAGE": "registry/serinus:2",
            "SERINUS_FETCH_PULL_POLICY": "Always",
            "SERINUS_FETCH_RESOURCES": '{"requests": {"cpu": 1, "memory": "0.5Gi"}, "limits": {}}',
            "SERINUS_TRACK_INTERVAL": "10s",
        }
    )
    assert settings == Settings(
        namespaces=("risk", "fraud"),
        prometheus_url="http://prometheus:9090",
        prometheus_token_file="/token",
        scrape_timeout=timedelta(seconds=90),
        workers=4,
        leader_election=True,
        pod_namespace="serinus-system",
        pod_name="serinus-0",
        log_level="debug",
        log_format="json",
        liveness_port=0,
        metrics_port=9000,
        fetch_image="registry/serinus:2",
        fetch_pull_policy="Always",
        fetch_resources={"requests": {"cpu": "1", "memory": "0.5Gi"}, "limits": {}},
        track_interval=timedelta(seconds=10),
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("NAMESPACES", "Risk", "no name of a namespace"),
        ("PROMETHEUS_URL", "prometheus:9090", "http://prometheus:9090"),
        ("PROMETHEUS_URL", "http://p:9090/?a=b", "give an address"),
        ("SCRAPE_TIMEOUT", "10", "duration with a unit"),
        ("SCRAPE_TIMEOUT", "7d", "duration with a unit"),
        ("WORKERS", "0", "from 1 to 64"),
        ("WORKERS", "many", "from 1 to 64"),
        ("LEADER_ELECTION", "perhaps", "true or false"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "one of text, json"),
        ("FETCH_RESOURCES", "512Mi", "as JSON"),
        ("FETCH_RESOURCES", '["512Mi"]', "as JSON"),
        ("FETCH_RESOURCES", '{"memory": "512Mi"}', "as JSON"),
        ("FETCH_RESOURCES", '{"limit": {"memory": "512Mi"}}', "as JSON"),
        ("FETCH_RESOURCES", '{"limits": {"memory": "512 MB"}}', "as JSON"),
        ("FETCH_PULL_POLICY", "always", "one of Always, IfNotPresent, Never"),
        ("TRACK_INTERVAL", "9.9s", "give 10s or more"),
        ("METRICS_PORT", "70000", "from 0 to 65535"),
        ("METRICS_PORT", "8081", "are both 8081"),
    ],
)
def test_a_bad_value_names_its_variable_and_what_it_may_be(name: str, value: str, sentence: str) -> None:
    with pytest.raises(InvalidSettings, match=sentence) as raised:
        Settings.from_environment({f"SERINUS_{name}": value})
    assert f"SERINUS_{name}" in str(raised.value)
