"""Import the libraries that only some links need, or raise an error that names the extra which brings them."""

import importlib
import importlib.util
from typing import Any

from slipstream.links.errors import MissingLibrary
from slipstream.links.setup import PollingSetup, Setup, WebSocketSetup


def load(module: str, library: str, purpose: str) -> Any:
    """Import a module that needs a library; raise `MissingLibrary` if that is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != library:
            raise
        raise MissingLibrary(library, purpose) from missing


def check(setup: Setup) -> None:
    """Raise `MissingLibrary` unless the libraries are there that a setup needs beside the one that dials."""
    if setup.proxy is not None and setup.proxy.startswith("socks"):
        require("python-socks" if isinstance(setup, WebSocketSetup) else "socksio", "a SOCKS proxy", "socks")
    if isinstance(setup, PollingSetup) and setup.http2:
        require("h2", "polling by HTTP/2", "http2")


def require(library: str, purpose: str, extra: str) -> None:
    """Raise `MissingLibrary` unless a library is there."""
    if importlib.util.find_spec(library.replace("-", "_")) is None:
        raise MissingLibrary(library, purpose, extra)
