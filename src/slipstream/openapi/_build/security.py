"""The security schemes that operations require."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipstream._engine.plan.flatten import SecurityUse
from slipstream.encoders import jsonable_encoder


def requirements(uses: Iterable[SecurityUse]) -> list[dict[str, list[str]]]:
    """List what an operation requires: each scheme once, with the scopes of all its uses."""
    scopes: dict[str, dict[str, None]] = {}
    for use in uses:
        scopes.setdefault(use.scheme.scheme_name, {}).update(dict.fromkeys(use.scopes))
    return [{name: list(asked)} for name, asked in scopes.items()]


def schemes_by_name(uses: Iterable[SecurityUse]) -> dict[str, Any]:
    """List the schemes in use; of two that share a name, the last counts."""
    return {use.scheme.scheme_name: use.scheme for use in uses}


def definitions(schemes: Mapping[str, Any]) -> dict[str, Any]:
    """Describe schemes, by name."""
    return {name: jsonable_encoder(scheme.model, by_alias=True, exclude_none=True) for name, scheme in schemes.items()}
