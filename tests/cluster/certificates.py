"""One certificate authority and the leaves that the components identify themselves with. Made by openssl."""

from dataclasses import dataclass
from pathlib import Path

from cluster import addresses
from cluster.commands import run
from cluster.packages import find

DAYS = "3650"
OPENSSL_CONFIG = """\
[req]
distinguished_name = subject
[subject]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate signed by our authority. RBAC knows its owner by the subject."""

    name: str
    subject: str
    names: tuple[str, ...] = ()
    """Subject alternative names, as openssl writes them."""


API_SERVER_NAMES = (
    "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc",
    f"DNS:kubernetes.default.svc.{addresses.DNS_DOMAIN}", "DNS:localhost", "IP:127.0.0.1",
    f"IP:{addresses.KUBERNETES_ADDRESS}", f"IP:{addresses.BRIDGE_ADDRESS}",
)  # fmt: skip
NODE_NAMES = (f"DNS:{addresses.NODE_NAME}", f"IP:{addresses.BRIDGE_ADDRESS}")
# Those that log in with a kubeconfig; its file is called like the leaf.
CLIENTS = (
    Leaf(name="admin", subject="/O=system:masters/CN=admin"),
    Leaf(name="controller-manager", subject="/CN=system:kube-controller-manager"),
    Leaf(name="scheduler", subject="/CN=system:kube-scheduler"),
    Leaf(name="kube-proxy", subject="/CN=system:kube-proxy"),
    Leaf(name="coredns", subject="/CN=system:coredns"),
    Leaf(name="prometheus", subject="/CN=system:prometheus"),
    Leaf(name="kubelet", subject=f"/O=system:nodes/CN=system:node:{addresses.NODE_NAME}", names=NODE_NAMES),
)
LEAVES = (
    *CLIENTS,
    Leaf(name="apiserver", subject="/CN=kube-apiserver", names=API_SERVER_NAMES),
    Leaf(name="apiserver-kubelet-client", subject="/O=system:masters/CN=kube-apiserver-kubelet-client"),
    Leaf(name="front-proxy-client", subject="/CN=front-proxy-client"),
)


def make(directory: Path) -> None:
    """Write ca, all leaves and the key pair of the service accounts into `directory`, readable by root only."""
    directory.mkdir(parents=True, mode=0o700)
    (directory / "openssl.cnf").write_text(OPENSSL_CONFIG)
    _certificate(directory, Leaf(name="ca", subject="/CN=serinus-test-cluster"), section="authority")
    for leaf in LEAVES:
        _certificate(directory, leaf, section="leaf", signer="ca")
    openssl = find("openssl")
    run(openssl, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", directory / "sa.key")
    run(openssl, "pkey", "-in", directory / "sa.key", "-pubout", "-out", directory / "sa.pub")


def _certificate(directory: Path, leaf: Leaf, *, section: str, signer: str | None = None) -> None:
    signing = ("-CA", directory / f"{signer}.crt", "-CAkey", directory / f"{signer}.key") if signer else ()
    names = ("-addext", f"subjectAltName={','.join(leaf.names)}") if leaf.names else ()
    run(
        find("openssl"), "req", "-x509", "-config", directory / "openssl.cnf", "-extensions", section, "-days", DAYS,
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", leaf.subject, *names, *signing,
        "-keyout", directory / f"{leaf.name}.key", "-out", directory / f"{leaf.name}.crt",
    )  # fmt: skip
