"""A protocol that parses requests by httptools and writes a constant response: the floor for a server in Python."""

import asyncio
from typing import Any

import httptools

RESPONSE = (
    b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nserver: bare\r\n"
    b'content-type: application/json\r\ncontent-length: 17\r\n\r\n{"hello":"world"}'
)


class BareProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, **_: Any) -> None:
        self.parser: Any = httptools.HttpRequestParser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        pass

    def on_message_complete(self) -> None:
        self.transport.write(RESPONSE)


def build(work: str) -> None:
    """Return no application; the protocol needs none."""
