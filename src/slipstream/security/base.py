"""What the engine and the OpenAPI document know a security scheme by."""

from slipstream.openapi.models import SecurityBase as SecurityBaseModel


class SecurityBase:
    """A dependency that also documents how a path operation is guarded."""

    model: SecurityBaseModel
    """The scheme as OpenAPI describes it."""

    scheme_name: str
    """Its name in the document."""
