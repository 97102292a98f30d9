"""The objects that a cluster needs before its first user: roles of our own users, and the Service of the DNS."""

from typing import Any

import yaml

from cluster import addresses

Manifest = dict[str, Any]


def make_reader(user: str, rules: list[Manifest]) -> list[Manifest]:
    """Return a ClusterRole with its binding to a user that logs in as `system:<user>`."""
    name = f"serinus-cluster:{user}"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"system:{user}"}],
    }
    return [role, binding]


def make_dns_service() -> list[Manifest]:
    """Return the kube-dns Service and the slice that points it at the process on the bridge."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"clusterIP": addresses.DNS_ADDRESS, "ports": ports},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [addresses.BRIDGE_ADDRESS], "conditions": {"ready": True}}],
        "ports": ports,
    }
    return [service, endpoints]


def make_all() -> str:
    """Return all of them as one YAML stream."""
    watch = ["get", "list", "watch"]
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch}
    names = {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": watch}
    targets = {"apiGroups": [""], "resources": ["pods", "services", "nodes", "namespaces", "endpoints"], "verbs": watch}
    return yaml.safe_dump_all(
        [*make_reader("coredns", [names, slices]), *make_reader("prometheus", [targets, slices]), *make_dns_service()],
        sort_keys=False,
    )
