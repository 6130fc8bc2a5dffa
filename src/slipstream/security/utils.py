"""The `Authorization` header taken apart."""


def get_authorization_scheme_param(authorization_header_value: str | None) -> tuple[str, str]:
    """Split at the first space into scheme and credentials; two empty strings if there is no header."""
    if not authorization_header_value:
        return "", ""
    scheme, _, param = authorization_header_value.partition(" ")
    return scheme, param.strip()
