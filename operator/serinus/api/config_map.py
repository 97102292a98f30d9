"""Wire models of a text that stands in a ConfigMap."""

from typing import Annotated

from pydantic import Field

from serinus.api.wire import Wire


class ConfigMapKey(Wire):
    """One key of a ConfigMap of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the ConfigMap."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key in its data."""


class FromConfigMap(Wire):
    """A text from elsewhere."""

    config_map_key_ref: ConfigMapKey
    """One key of a ConfigMap."""
