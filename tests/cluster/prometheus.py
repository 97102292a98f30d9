"""Prometheus with Kubernetes discovery: scrapes every pod that asks for it by annotation, once a second.

Reachable from the host and from pods. Can be stopped and started alone and keeps its data.
"""

import requests
import yaml

from cluster import addresses, kubeconfigs
from cluster.paths import Layout
from cluster.process import Daemon

NAME = "prometheus"
ANNOTATION = "__meta_kubernetes_pod_annotation_prometheus_io_"
# Every series gets namespace, pod, job and instance. There is no label `container`: with it, a pod with several
# ports would be several targets at one address, and each of its counters would be there several times.
RELABELLING: list[dict[str, object]] = [
    {"source_labels": [f"{ANNOTATION}scrape"], "action": "keep", "regex": "true"},
    {"source_labels": ["__meta_kubernetes_pod_phase"], "action": "drop", "regex": "Pending|Succeeded|Failed"},
    {"source_labels": [f"{ANNOTATION}scheme"], "regex": "(https?)", "target_label": "__scheme__"},
    {"source_labels": [f"{ANNOTATION}path"], "regex": "(.+)", "target_label": "__metrics_path__"},
    {
        "source_labels": ["__meta_kubernetes_pod_ip", f"{ANNOTATION}port"],
        "regex": r"(.+);(\d+)",
        "replacement": "$1:$2",
        "target_label": "__address__",
    },
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
]


def daemon(layout: Layout) -> Daemon:
    """Describe the process with its configuration."""
    config = layout.config("prometheus.yaml")
    content = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": "pods",
                "kubernetes_sd_configs": [
                    {"role": "pod", "kubeconfig_file": str(kubeconfigs.path(layout, "prometheus"))},
                ],
                "relabel_configs": RELABELLING,
            }
        ],
    }
    return Daemon(
        name=NAME,
        argv=(
            str(layout.binary("prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={layout.data('prometheus')}",
            "--storage.tsdb.retention.time=2d",
            f"--web.listen-address={addresses.PROMETHEUS_URL.removeprefix('http://')}",
            "--log.level=warn",
        ),
        files={config: yaml.safe_dump(content, sort_keys=False)},
    )


def is_ready() -> bool:
    """Return whether it has read its data and answers queries."""
    try:
        return requests.get(f"{addresses.PROMETHEUS_URL}/-/ready", timeout=2).ok
    except requests.RequestException:
        return False
