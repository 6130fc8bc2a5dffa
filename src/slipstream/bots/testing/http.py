"""HTTP as the platform sees it: what was asked, what is answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request that came: a poll, or an API call."""

    method: str
    path: str
    query: str
    version: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def headers_in(lines: list[str]) -> dict[str, str]:
    """Read the lines of a head, the first one excepted; names in lower case."""
    found = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            found[name.strip().lower()] = value.strip()
    return found


def as_bytes(body: Any) -> bytes:
    """Make a body: bytes and text as they are, all else as JSON."""
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()
