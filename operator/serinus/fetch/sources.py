"""Opens the source that a URI asks for. Only the libraries of that kind of store are imported."""

from collections.abc import Mapping

from serinus.fetch.authorities import trust
from serinus.fetch.failures import FetchFailed, Reason
from serinus.fetch.source import Source
from serinus.fetch.uri import HubUri, MlflowUri, ObjectUri, RegistryUri, WebUri, parse_uri
from serinus.fetch.web import Web

ALLOW_HTTP = "SERINUS_FETCH_ALLOW_HTTP"
CERTIFICATES = "SERINUS_FETCH_CA"
_ENDPOINTS = (
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
)


def open_source(text: str, environment: Mapping[str, str]) -> Source:
    """Return the source for a URI, without asking anybody yet.

    Raises:
        FetchFailed: The URI or the environment is not usable, or a library is missing.
    """
    uri = parse_uri(text)
    allow_http = environment.get(ALLOW_HTTP, "").strip().lower() == "true"
    certificates = environment.get(CERTIFICATES, "")
    trust(certificates)
    try:
        match uri:
            case ObjectUri():
                from serinus.fetch import objects  # noqa: PLC0415

                # An endpoint without TLS that somebody wrote down is a yes to it.
                plain = allow_http or any(environment.get(name, "").startswith("http://") for name in _ENDPOINTS)
                web = _web(objects.CREDENTIALS[uri.scheme], certificates, plain)
                return objects.ObjectSource(uri, environment, web, allow_http=plain, certificates=certificates)
            case WebUri():
                from serinus.fetch import https  # noqa: PLC0415

                return https.WebSource(uri, environment, _web(https.HINT, certificates, allow_http))
            case HubUri():
                from serinus.fetch import hub  # noqa: PLC0415

                plain = allow_http or environment.get("HF_ENDPOINT", "").startswith("http://")
                return hub.HubSource(uri, environment, _web(hub.HINT, certificates, plain))
            case RegistryUri():
                from serinus.fetch import registry  # noqa: PLC0415

                web = _web(registry.HINT, certificates, allow_http)
                return registry.RegistrySource(uri, environment, web, allow_http=allow_http)
            case MlflowUri():
                return _open_mlflow(uri, environment, certificates, allow_http)
    except ImportError as error:
        raise FetchFailed(
            Reason.UNSUPPORTED, f"The library {error.name} is missing in this image: install serinus[fetch]."
        ) from error


def _open_mlflow(uri: MlflowUri, environment: Mapping[str, str], certificates: str, allow_http: bool) -> Source:
    from serinus.fetch import mlflow  # noqa: PLC0415

    where = environment.get("MLFLOW_REGISTRY_URI") or environment.get("MLFLOW_TRACKING_URI") or ""
    web = _web(mlflow.HINT, certificates, allow_http or where.startswith("http://"))
    return mlflow.MlflowSource(uri, environment, web, lambda other: open_source(other, environment))


def _web(hint: str, certificates: str, allow_http: bool) -> Web:
    return Web(allow_http=allow_http, hint=hint, certificates=trust(certificates))
