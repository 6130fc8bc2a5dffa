"""Merging JSON-like values without changing either of them."""

from collections.abc import Mapping
from typing import Any


def merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `extra` over `base`: objects are merged in depth, lists joined, all else replaced."""
    result = dict(base)
    for key, value in extra.items():
        present = result.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            result[key] = merged(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            result[key] = present + value
        else:
            result[key] = value
    return result
