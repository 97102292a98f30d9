"""Where the API server is and how to prove who we are: inside a cluster or by a kubeconfig.

Both ways into the cluster, the calls of ``client`` and the watches of the controller, take their login from here.
"""

from dataclasses import dataclass

from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from serinus.errors import ClusterError


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a connection to the API server needs."""

    server: str
    ca_file: str | None
    verify: bool
    token: str | None
    certificate_file: str | None
    key_file: str | None


def load_configuration() -> Configuration:
    """Read the ServiceAccount of the pod or, outside a cluster, the kubeconfig (``$KUBECONFIG`` or the default).

    Raises:
        ClusterError: there is neither.
    """
    configuration = Configuration()
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except ConfigException as outside:
        try:
            load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as unreadable:
            raise ClusterError(
                f"No way into a cluster: not in a pod ({outside}), and no usable kubeconfig ({unreadable}). "
                "Set KUBECONFIG to the path of one."
            ) from unreadable
    return configuration


def fetch_login() -> Login:
    """Read the login afresh, so that a rotated token is seen.

    Raises:
        ClusterError: there is none.
    """
    configuration = load_configuration()
    header: str | None = configuration.get_api_key_with_prefix("BearerToken")
    return Login(
        server=configuration.host,
        ca_file=configuration.ssl_ca_cert,
        verify=bool(configuration.verify_ssl),
        token=header.removeprefix("Bearer ").removeprefix("bearer ") if header else None,
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
    )
