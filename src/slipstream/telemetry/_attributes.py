"""What spans and metrics record of a request, read from its ASGI scope.

The names are those of OpenTelemetry's semantic conventions, version 1.44. Pure: no OpenTelemetry here.
"""

import os
import re
from collections.abc import Set
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the semantic conventions that names and values follow."""

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_HOST = re.compile(r"(?:\[([^]/?#@\\\s]+)]|([^:[/?#@\\\s][^:/?#@\\\s]*))(?::([0-9]{0,5}))?")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SECRETS = frozenset({"X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "sig", "X-Goog-Signature"})
REDACTED = "REDACTED"

Attributes = dict[str, Any]


def known_methods() -> frozenset[str]:
    """Read which methods are known: those that the environment lists, else the usual ones."""
    listed = os.environ.get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "").strip()
    return frozenset(method.strip() for method in listed.split(",") if method.strip()) if listed else _METHODS


def method_of(scope: Scope, known: Set[str] = _METHODS) -> tuple[str, str]:
    """Return the method as an attribute and as the first word of the span's name.

    The attribute is `_OTHER` for unknown methods, so that a client cannot make metrics grow without end.
    """
    method = scope.get("method", "")
    return (method, method) if method in known else ("_OTHER", "HTTP")


def metric_attributes(scope: Scope, known: Set[str] = _METHODS) -> Attributes:
    """Attributes of the number of active requests."""
    return {"url.scheme": scope.get("scheme", "http"), "http.request.method": method_of(scope, known)[0]}


def http_attributes(scope: Scope, known: Set[str] = _METHODS) -> Attributes:
    """What is known of an HTTP request before it is served."""
    found = server_attributes(scope)
    found["url.path"] = scope.get("path", "")
    query = scope.get("query_string")
    if query:
        found["url.query"] = redacted_query(query)
    found.update(metric_attributes(scope, known))
    if found["http.request.method"] == "_OTHER":
        found["http.request.method_original"] = scope.get("method", "")
    version = scope.get("http_version")
    if version:
        found["network.protocol.version"] = version
    return found


def websocket_attributes(scope: Scope) -> Attributes:
    """What is known of a WebSocket connection before it is served; not its path, which may hold secrets."""
    return {
        **server_attributes(scope),
        "url.scheme": scope.get("scheme", "ws"),
        "network.protocol.name": "websocket",
    }


def server_attributes(scope: Scope) -> Attributes:
    """Read the server's address from the Host header, or else from the socket; nothing if it is malformed."""
    for name, value in scope.get("headers", ()):
        if name == b"host":
            return host_attributes(value.decode("latin-1"), scope.get("scheme", "http"))
    server = scope.get("server")
    if not server or not server[0]:
        return {}
    found: Attributes = {"server.address": server[0]}
    if len(server) > 1 and server[1] is not None:
        found["server.port"] = server[1]
    return found


def host_attributes(host: str, scheme: str) -> Attributes:
    """Read `host`, `host:port`, `[address]` or `[address]:port`; return nothing for anything else."""
    match = _HOST.fullmatch(host)
    if match is None:
        return {}
    found: Attributes = {"server.address": (match[1] or match[2]).lower()}
    port = int(match[3]) if match[3] else _PORTS.get(scheme)
    if port is not None:
        found["server.port"] = port
    return found if port is None or port <= 65535 else {}


def redacted_query(query: bytes) -> str:
    """Replace signatures and credentials in a query string; the conventions for `url.query` name the parameters."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    except ValueError:  # more fields than the standard library will read
        return ""
    return urlencode([(key, REDACTED if key in _SECRETS else value) for key, value in pairs])


def type_of(exc: BaseException) -> str:
    """Name an exception's class, with its module unless that is `builtins`."""
    cls = type(exc)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
