"""Libraries that only some links need: imported, or named in an error together with the extra that brings them."""

import importlib
import importlib.util
from typing import Any

from slipstream.links.errors import MissingLibrary
from slipstream.links.rules import Failure
from slipstream.links.setup import PollingSetup, WebSocketSetup


def load(module: str, library: str, purpose: str) -> Any:
    """Import a module that needs a library.

    Raises:
        MissingLibrary: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != library:
            raise
        raise MissingLibrary(library, purpose) from missing


def check(setup: WebSocketSetup | PollingSetup) -> None:
    """See that the libraries which a setup asks for beside the one that dials are there.

    Raises:
        MissingLibrary: One is not.
    """
    if setup.proxy is not None and setup.proxy.startswith("socks"):
        require("python-socks" if isinstance(setup, WebSocketSetup) else "socksio", "a SOCKS proxy", "socks")
    if isinstance(setup, PollingSetup) and setup.http2:
        require("h2", "polling by HTTP/2", "http2")


def missing(error: ImportError, library: str) -> Failure:
    """Tell as data which library is not there: the one that `check` missed, or else that of a proxy of the environment.

    Args:
        error: What `check` or the library that dials has raised.
        library: What it needs for SOCKS proxies.
    """
    known = error if isinstance(error, MissingLibrary) else MissingLibrary(library, "a SOCKS proxy", "socks")
    return Failure("setup", str(known), is_final=True, side="us")


def require(library: str, purpose: str, extra: str) -> None:
    """See that a library is there.

    Raises:
        MissingLibrary: It is not.
    """
    if importlib.util.find_spec(library.replace("-", "_")) is None:
        raise MissingLibrary(library, purpose, extra)
