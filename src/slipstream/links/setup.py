"""What a program says about a link: whom to dial, how, with which libraries, and how its events are treated."""

import importlib
import importlib.util
import re
import ssl
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from urllib.parse import urlsplit

from slipstream.links.errors import MissingLibrary, WrongSetup
from slipstream.links.outbox import OutboxPolicy
from slipstream.links.queue import QueuePolicy
from slipstream.links.redact import HIDDEN, secrets_in, shown_url
from slipstream.links.rules import Backoff, Fatal

MiB = 1024 * 1024

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SECRET = frozenset({"headers", "cookies", "params", "content", "json"})
_WORDS = {str: "text", NoneType: "None", abc.Mapping: "a mapping of names to values"}


class Rule(NamedTuple):
    """What a value has to be: a test of it, and the words for it. It stands in `Annotated`, beside a type."""

    is_fine: Callable[[Any], bool]
    expected: str


Seconds = Annotated[float, Rule(lambda value: isinstance(value, int | float) and value > 0, "more than 0")]
Size = Annotated[int, Rule(lambda value: isinstance(value, int) and value > 0, "a whole number, more than 0")]
Count = Annotated[int, Rule(lambda value: isinstance(value, int) and value >= 0, "a whole number, 0 or more")]
Field = str | Callable[[Any], Any]
"""Where something stands: the name of a field, such as "id" or "data.id", or a function."""
Words = Annotated[
    Sequence[str],
    Rule(
        lambda value: (  # the letters of a single word would be taken for words
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and all(isinstance(each, str) and _NAME.fullmatch(each) for each in value)
        ),
        "a tuple of words",
    ),
]
_Method = Annotated[str, Rule(lambda value: bool(_NAME.fullmatch(value)), "a word such as 'GET'")]


def check_value(setting: str, value: object, hint: Any) -> None:
    """Raise `WrongSetup`, which shows no secrets, unless a value is of a type, and follows its rule."""
    if (rules := _rules_of(hint)) and not any(rule.is_fine(value) for rule in rules):
        expected = " or ".join(rule.expected for rule in rules)
        if setting in _SECRET:
            raise WrongSetup(setting, HIDDEN, f"{expected}, not {type(value).__name__}")
        raise WrongSetup(setting, value, expected)


def check_values(owner: object, values: Mapping[str, object]) -> None:
    """Raise `WrongSetup` unless values fit the annotations of a class for its fields, or of a function."""
    for name, hint in _hints_of(owner).items():
        if name in values:
            check_value(name, values[name], hint)


_hints_of = cache(partial(get_type_hints, include_extras=True))


@cache
def _rules_of(hint: Any) -> Sequence[Rule]:
    """Return the rules of which a value has to follow one; none where any value will do."""
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return [rule for part in get_args(hint) for rule in _rules_of(part)]
    if kind is Annotated:
        return [each for each in hint.__metadata__ if isinstance(each, Rule)]
    if kind is Literal:
        words = get_args(hint)
        return [Rule(lambda value: value in words, " or ".join(map(repr, words)))]
    if kind is abc.Callable:
        return [Rule(callable, "a function")]
    if kind in (Any, bool) or not isinstance(kind, type):
        return []
    return [Rule(lambda value: isinstance(value, kind), _WORDS.get(kind, kind.__name__))]


@dataclass(frozen=True, kw_only=True)
class TLS:
    """How an encrypted connection is verified, and what we show for ourselves.

    Args:
        context: A context that says everything; the other fields are then not read.
        ca_file: PEM file of the authorities to trust. Default: the system's.
        certificate: PEM file of our certificate, for peers that ask for one.
        key: PEM file of its key, if it is not in `certificate`.
        verify: Whether to verify the peer's certificate and name. Default: yes; no is for tests.
        server_name: Name to expect in the certificate, in place of the address's host.
    """

    context: ssl.SSLContext | None = None
    ca_file: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool = True
    server_name: str | None = None

    def __post_init__(self) -> None:
        check_values(TLS, {**vars(self), "password": None})  # which an error must not show
        for name in ("ca_file", "certificate", "key"):
            path = getattr(self, name)
            if self.context is None and path is not None and not Path(path).is_file():
                raise WrongSetup(name, path, "a file that is there")

    def build(self) -> ssl.SSLContext:
        """Make the context from the files; raise `WrongSetup` if one is not there, or not what it should be."""
        if self.context is not None:
            return self.context
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise WrongSetup("ca_file", self.ca_file, "a PEM file of certificates") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, self.password)
            except OSError as error:
                expected = "a PEM file of a certificate, its key in it or in `key`, the password in `password`"
                raise WrongSetup("certificate", self.certificate, expected) from error
        return context


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long to wait for what, in seconds; None: for ever.

    Args:
        connect: For name, TCP, TLS and the opening handshake together. Default: 10.
        read: For the next bytes of an answer to a poll; long polls need more than the peer's own limit. Default: 60.
        write: For the peer to take what is sent; then the connection counts as stalled and ends. Default: 10.
        close: For the peer to answer a close frame. Default: 2.
        silence: For any message from a peer that should send some, its pings not counted. Default: None.
    """

    connect: Seconds | None = 10.0
    read: Seconds | None = 60.0
    write: Seconds | None = 10.0
    close: Seconds | None = 2.0
    silence: Seconds | None = None

    def __post_init__(self) -> None:
        check_values(Timeouts, vars(self))


@dataclass(frozen=True, repr=False)
class Setup:
    """How to dial a server, by a WebSocket or by requests; its repr shows no secrets.

    Args:
        url: Address, of a scheme that the kind of link speaks.
        headers: Headers of the handshake or the request; a `Host` replaces the address's.
        cookies: Cookies to send, beside those that a polled server sets.
        proxy: Address of a proxy: `http://`, `https://`, or, with `slipstream[socks]`, `socks5h://` (it resolves the
            names) or `socks5://`; for WebSockets also `socks4a://` and `socks4://`.
        trust_env: Whether to take a proxy from the environment where none is given. Default: no.
        max_message: Most bytes of one message or answer, decompressed; a WebSocket ends with 1009 at more.
            Default: 4 MiB.
        max_redirects: How many redirects to follow. To another host, headers, cookies, client certificate, body and
            query parameters do not go along. Default: 5.
        backoff: How long to wait after this attempt, or the connection that it made. Default: the link's option.

    Raises:
        WrongSetup: The URL cannot be dialled, or a value is of a wrong type or out of its range.
    """

    url: str
    _: KW_ONLY
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    tls: TLS = field(default_factory=TLS)
    proxy: str | None = None
    trust_env: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_message: Size = 4 * MiB
    max_redirects: Count = 5
    backoff: Backoff | None = None

    schemes: ClassVar[tuple[str, ...]]
    proxies: ClassVar[tuple[str, ...]] = ("http", "https", "socks5h", "socks5")

    def __post_init__(self) -> None:
        check_values(type(self), vars(self))
        _check_pairs("headers", self.headers)
        _check_pairs("cookies", self.cookies)
        _check_url(self.url, self.schemes)
        if self.proxy is not None:
            _check_url(self.proxy, self.proxies, "proxy")

    def __repr__(self) -> str:
        shown = []
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("url", "proxy") and value is not None:
                value = shown_url(value)
            elif each.name in ("headers", "cookies", "params"):
                value = dict.fromkeys(value, HIDDEN)
            elif each.name in ("content", "json") and value is not None:
                value = HIDDEN
            shown.append(f"{each.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def secrets(self) -> list[str]:
        """List what must not be shown."""
        words = [*self.headers.values(), *self.cookies.values()]
        words += [part for value in words for part in value.split()[1:]]
        return [*words, *secrets_in(self.url), *(secrets_in(self.proxy) if self.proxy else [])]


@dataclass(frozen=True, repr=False)
class WebSocketSetup(Setup):
    """A WebSocket server to dial, at `ws://` or `wss://`; `Setup` has the other arguments.

    Args:
        subprotocols: Sub-protocols to offer, the favourite first.
        ping_interval: Seconds between pings; None: no pings, only `Timeouts.silence` finds a dead peer. Default: 20.
        ping_timeout: Seconds to wait for the answer to a ping before the connection counts as dead. Default: 20.
        compression: Whether to offer permessage-deflate. Default: yes.
    """

    _: KW_ONLY
    subprotocols: Words = ()
    ping_interval: Seconds | None = 20.0
    ping_timeout: Seconds = 20.0
    compression: bool = True

    schemes = ("ws", "wss")
    proxies = (*Setup.proxies, "socks4a", "socks4")


@dataclass(frozen=True, repr=False)
class PollingSetup(Setup):
    """An HTTP server to ask again and again, at `http://` or `https://`; `Setup` has the other arguments.

    Args:
        interval: Seconds between an answer and the next request; more than 0. Default: 5.
        method: Default: "GET".
        content: Body of the request.
        json: Body of the request as a value; not together with `content`.
        long_poll: Whether the peer holds a request until it has events. The next request then follows at once; give
            `Timeouts.read` more than the peer's own limit. Default: no.
        http2: Whether to offer HTTP/2 to servers that speak TLS; needs `slipstream[http2]`. Default: no.
        conditional: Whether to send `If-None-Match` and `If-Modified-Since` from the last answer. Default: yes.
        transport: Returns the httpx2 transport to use, which then sees to TLS and proxy itself; for tests, and for
            protocols of one's own.
    """

    _: KW_ONLY
    interval: Seconds = 5.0
    method: _Method = "GET"
    params: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    json: Any = None
    long_poll: bool = False
    http2: bool = False
    conditional: bool = True
    transport: Callable[[], Any] | None = None

    schemes = ("http", "https")

    def __post_init__(self) -> None:
        if self.content is not None and self.json is not None:
            raise WrongSetup("json", HIDDEN, "no json= beside content=")
        super().__post_init__()

    def secrets(self) -> list[str]:
        """List what must not be shown."""
        return [*super().secrets(), *(str(value) for value in self.params.values())]


class LinkOptions(TypedDict, total=False):
    """Options of a link; every way to make one takes them.

    Args:
        name: Name of the link in logs, metrics and `links[name]`. Default: its kind and a number, such as "polling-1".
        queue: Most events that wait for the handler; at least 1. Default: 1000.
        policy: What to do with one more. Default: "wait".
        concurrency: How many events are handled at once; 1 keeps their order. Default: 1.
        event_id: Where an event's id stands; needed for `dedupe` and for resuming. Default: nowhere.
        dedupe: How many ids of the latest events to remember, to pass over repeats. Default: 4096.
        reply_id: Name of the field by which `call` and its reply know each other. Default: None, no `call`.
        call_timeout: Seconds that `call` waits for its reply. Default: 30.
        setup_timeout: Seconds that a function in place of a setup has; then the attempt has failed. Default: 30.
        login_timeout: Seconds that all `login` functions have; then the connection ends with 1011. Default: 30.
        opened_timeout: Seconds that all `opened` hooks have; then the connection ends with 1011. Default: 30.
        rate: Most messages a second to a peer, on average. Default: None, as fast as it reads.
        burst: Most messages to a peer at once, where `rate` holds. Default: 1.
        outbox: Most messages kept while the link is down; 0 keeps none. Default: 256.
        outbox_bytes: Most bytes kept while the link is down. Default: 4 MiB.
        outbox_ttl: Seconds after which a kept message is not worth sending. Default: None, always worth it.
        outbox_policy: What to do when the outbox is full. Default: "drop_oldest".
        backoff: How long to wait between attempts, where the setup does not say.
        fatal: Which ends mean that trying again is useless.
    """

    name: str | None
    queue: int
    policy: QueuePolicy
    concurrency: int
    event_id: Field | None
    dedupe: int
    reply_id: str | None
    call_timeout: float
    setup_timeout: float | None
    login_timeout: float | None
    opened_timeout: float | None
    rate: float | None
    burst: int
    outbox: int
    outbox_bytes: int
    outbox_ttl: float | None
    outbox_policy: OutboxPolicy
    backoff: Backoff
    fatal: Fatal


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """`LinkOptions` with their defaults."""

    name: str | None = None
    queue: Size = 1000
    policy: QueuePolicy = "wait"
    concurrency: Size = 1
    event_id: Field | None = None
    dedupe: Count = 4096
    reply_id: str | None = None
    call_timeout: Seconds = 30.0
    setup_timeout: Seconds | None = 30.0
    login_timeout: Seconds | None = 30.0
    opened_timeout: Seconds | None = 30.0
    rate: Seconds | None = None
    burst: Size = 1
    outbox: Count = 256
    outbox_bytes: Count = 4 * MiB
    outbox_ttl: Seconds | None = None
    outbox_policy: OutboxPolicy = "drop_oldest"
    backoff: Backoff = Backoff()
    fatal: Fatal = Fatal()

    def __post_init__(self) -> None:
        check_values(Options, {name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def of(cls, given: LinkOptions) -> Self:
        """Complete what was given; raise `WrongSetup` for an option that is not known, or out of its range."""
        for name in given:
            if name not in cls.__slots__:
                raise WrongSetup(name, given[name], f"one of the options {', '.join(cls.__slots__)}")  # type: ignore[literal-required]  # it is no option
        return cls(**given)


LinkKind = Literal["websocket", "polling", "accepted", "webhook"]
"""Who dials, and how: "websocket" and "polling" are ours, "accepted" (a WebSocket) and "webhook" the peer's."""


def _check_pairs(setting: str, pairs: Mapping[Any, Any]) -> None:
    """Refuse what no header can hold; a value is not shown, nor left for a library to show."""
    for name, value in pairs.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise WrongSetup(setting, name, "names as HTTP has them")
        if not (isinstance(value, str) and _VALUE.fullmatch(value)):
            raise WrongSetup(f"{setting}[{name!r}]", HIDDEN, "text without line breaks")


def _check_url(url: str, schemes: tuple[str, ...], setting: str = "url") -> None:
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_fine = False
    if not is_fine or any(ord(sign) <= 32 for sign in url):
        raise WrongSetup(setting, shown_url(url), " or ".join(f"{scheme}://host[:port]/path" for scheme in schemes))


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
