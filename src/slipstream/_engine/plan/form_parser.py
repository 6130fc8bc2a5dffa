"""A check at registration that python-multipart is installed, and not another package with a module `multipart`."""

import re
from importlib import import_module
from typing import Any

from slipstream._engine.errors import FormParserMissing

_RENAMED_AFTER = (0, 0, 12)


def require_form_parser(origin: Any) -> None:
    """Raise `FormParserMissing`, with the origin of an endpoint, if python-multipart is not installed."""
    version = _found("python_multipart", "__version__") or ""
    if tuple(map(int, re.findall(r"\d+", version)[:3])) > _RENAMED_AFTER:
        return
    if _found("multipart", "__version__") is None:
        raise FormParserMissing(None, origin)
    if _found("multipart.multipart", "parse_options_header") is None:
        raise FormParserMissing("multipart", origin)


def _found(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None
