"""Looking for the package that reads forms, before a request needs it.

Two packages answer to `import multipart`: python-multipart, up to its release 0.0.12 under that name
alone, and an unrelated one called multipart.
"""

from importlib import import_module
from typing import Any

from slipstream._engine.errors import FormParserMissing

_RENAMED_AFTER = (0, 0, 12)


def require_form_parser(origin: Any) -> None:
    """Make sure that forms can be read.

    Args:
        origin: The endpoint that asks for a form; named in the error.

    Raises:
        FormParserMissing: python-multipart is not installed, or the other package is.
    """
    if _release(_found("python_multipart", "__version__")) > _RENAMED_AFTER:
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


def _release(version: str | None) -> tuple[int, ...]:
    """Read the numbers at the start of a version."""
    numbers = []
    for part in (version or "").split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
