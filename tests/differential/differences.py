"""What slipstream does otherwise than FastAPI on purpose: the one list of what differential tests forgive.

Each has a name, which stands in docs/differences.md too, a reason, and a predicate that is as narrow as the reason.
"""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .harness import Headers, Outcome, Sent, Talk


@dataclass(frozen=True)
class Difference:
    """Something that slipstream does otherwise on purpose.

    `settles` tells whether the difference explains a pair of outcomes, FastAPI's and slipstream's.
    """

    name: str
    reason: str
    settles: Callable[[Outcome, Outcome], bool]
    settles_talk: Callable[[Talk, Talk], bool] = lambda theirs, ours: False
    settles_sent: Callable[[Sent], bool] = lambda sent: False
    """Tells whether it explains every answer of slipstream's to a request, since all that follows may differ."""


Seen = TypeVar("Seen", "Outcome", "Talk")


def _sorted_allow(outcome: Outcome) -> Outcome:
    headers = tuple(
        (name, b", ".join(sorted(value.split(b", "))) if name == b"allow" else value) for name, value in outcome.headers
    )
    return replace(outcome, headers=headers)


def _errors_but_inputs(theirs: Outcome, ours: Outcome, may_differ: Callable[[Any], bool]) -> bool:
    """Whether two lists of errors differ in nothing but inputs that may."""
    is_refusal = theirs.body.startswith(b'{"detail":[') and ours.body.startswith(b'{"detail":[')
    if theirs.status != ours.status or not is_refusal or theirs.raised != ours.raised or theirs.log != ours.log:
        return False
    wanted, told = theirs.json["detail"], ours.json["detail"]
    return len(wanted) == len(told) and all(
        {**one, "input": None} == {**two, "input": None} and (one["input"] == two["input"] or may_differ(one["input"]))
        for one, two in zip(wanted, told, strict=True)
    )


def _but_for_words_of(error: str, theirs: Seen, ours: Seen) -> bool:
    """Whether two differ in nothing but what an error of slipstream's own says, wherever it is told."""

    def rest(seen: Any) -> Any:
        if hasattr(seen, "messages"):
            return seen.messages, len(seen.log), seen.raised is None
        names = [name for name, _ in seen.headers]
        return seen.status, names, len(seen.chunks), len(seen.log), seen.shape, seen.raised is None

    return error in repr(ours) and rest(theirs) == rest(ours)


def _of_page(outcome: Outcome) -> tuple[Headers, list[str], str | None]:
    """Return headers, addresses and title of a page of the documentation."""
    text = outcome.body.decode()
    addresses = re.findall(r"""(?:spec-url=|url: |"url": )["']([^"']*)["']|src="(https[^"]*)""", text)
    title = re.search("<title>(.*)</title>", text)
    headers = tuple(pair for pair in outcome.headers if pair[0] != b"content-length")
    return headers, sorted("".join(found) for found in addresses), title and title[1]


# What FastAPI raises when a result cannot be written; without a "NoneType", if the handler for 500 gives no response.
_UNWRITABLE = ("ValueError: Out of range float", "UnicodeEncodeError", "TypeError: 'NoneType' object is not callable")


def _heard(outcome: Outcome) -> list[str]:
    """Return what was raised, and what dependencies say that they have heard."""
    heard = (re.sub(r"^d\d+ hears (\w+) ", r"\1: ", said) for said in outcome.log if isinstance(said, str))
    return [outcome.raised or "", *heard]


def _as_told(outcome: Outcome) -> Outcome:
    """Return an outcome with the class alone of what tells that an exception was swallowed, wherever it is told."""
    swallowed = r"(UnboundLocalError:? cannot access local variable 'response'|FastAPIError No response was made).*"
    said = [re.sub(swallowed, "FastAPIError", one, flags=re.DOTALL) if isinstance(one, str) else one
            for one in (outcome.raised, *outcome.log)]  # fmt: skip
    return replace(outcome, raised=said[0], log=tuple(said[1:]))


def _has_half_surrogate(body: bytes) -> bool:
    """Whether a body is JSON with text that cannot be encoded; dependencies and handlers hear of it, or do not."""
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        pass
    return False


def _without_length(outcome: Outcome) -> list[tuple[bytes, bytes]]:
    return [pair for pair in outcome.headers if pair[0] != b"content-length"]


# What FastAPI raises when its own 422 cannot be written: the error echoes input that JSON cannot hold.
_UNSPEAKABLE = ("ValueError: Out of range float values", "UnicodeEncodeError", "UnicodeDecodeError", "RecursionError")

_UNSPEAKABLE_ECHOED = (b'Infinity"', b'NaN"', b"\\ud", b"\\x")

EVERYWHERE = (
    Difference(
        "unspeakable-echo",
        "bad input is never a 5xx: the echo of NaN, infinities, lone surrogates and bytes is made encodable",
        lambda theirs, ours: (
            (
                theirs.status in (500, None)
                and (theirs.raised or "").startswith(_UNSPEAKABLE)
                and ours.status in (400, 422)
                and ours.raised is None
            )
            or (ours.body.startswith(b'{"detail":[') and any(mark in ours.body for mark in _UNSPEAKABLE_ECHOED))
        ),
    ),
    Difference(
        "swallowed-exception",
        "a dependency of scope 'function' that swallows the exception is told so, as one of scope 'request' is",
        lambda theirs, ours: _as_told(theirs) != theirs and _as_told(theirs) == _as_told(ours),
    ),
    Difference(
        "did-not-yield",
        "a dependency that does not yield is named, with its place and what to write",
        lambda theirs, ours: _but_for_words_of("DidNotYield", theirs, ours),
        lambda theirs, ours: _but_for_words_of("DidNotYield", theirs, ours),
    ),
    Difference(
        "no-response",
        "an exception handler or a middleware that returns no response is an error that names it; FastAPI gives no "
        "answer at all, or an error of Python's",
        lambda theirs, ours: (
            (
                (theirs.shape, theirs.raised) == ((), None)
                and ours.raised is not None
                and ours.log[: len(theirs.log)] == theirs.log
            )
            or _but_for_words_of("NotAResponse", theirs, ours)
        ),
    ),
    Difference(
        "close-reason",
        "the close of an invalid handshake has text that a frame holds as its reason; FastAPI gives a list, which no "
        "server can send",
        lambda theirs, ours: False,
        lambda theirs, ours: (
            any("('code', 1008), ('reason', [" in message for message in theirs.messages)
            and all(len(dict(literal_eval(message))["reason"].encode()) <= 123 for message in ours.messages)
            and (theirs.raised, theirs.log) == (ours.raised, ours.log)
        ),
    ),
    Difference(
        "half-surrogate",
        "half a surrogate pair in JSON is refused with 422 where the body is read, whatever would have come of it",
        lambda theirs, ours: b"Half a surrogate pair" in ours.body,
        settles_sent=lambda sent: _has_half_surrogate(b"".join(sent.chunks)),
    ),
    Difference(
        "closed-after-accept",
        "an HTTPException after a WebSocket was accepted closes it with a code; FastAPI sends an answer that no server "
        "can pass on",
        lambda theirs, ours: False,
        lambda theirs, ours: (
            "websocket.http.response.start" in repr(theirs.messages)
            and "websocket.accept" in theirs.messages[0]
            and "websocket.close" in ours.messages[-1]
            and theirs.log == ours.log
        ),
    ),
    Difference(
        "unfinished-beneath-middleware",
        "a response that fails half-way beneath middleware is cut off, as without middleware; Starlette's class ends "
        "it as if it were complete",
        lambda theirs, ours: (
            theirs.raised is not None
            and ours.shape == ("http.response.start",)
            and theirs == replace(ours, shape=theirs.shape)
        ),
    ),
    Difference(
        "docs-pages",
        "the pages of the documentation are slipstream's own text around the same scripts, titles and addresses",
        lambda theirs, ours: (
            theirs.status == ours.status and _of_page(theirs) == _of_page(ours) and _of_page(ours)[1:] != ([], None)
        ),
    ),
    Difference(
        "cut-echo",
        "an error echoes at most a kilobyte of the input, so that answers stay small",
        lambda theirs, ours: _errors_but_inputs(theirs, ours, lambda value: len(json.dumps(value)) > 1000),
    ),
    Difference(
        "sorted-allow",
        "the methods in Allow are sorted; FastAPI gives them in the order of a set, which changes with the process",
        lambda theirs, ours: _sorted_allow(theirs) == _sorted_allow(ours),
    ),
)

EMPTY_205 = Difference(
    "empty-205",
    "a 205 has no body; FastAPI drops the body and still announces its length, which no client survives",
    lambda theirs, ours: (
        theirs.status == ours.status == 205 and theirs.body == b"" and _without_length(ours) == _without_length(theirs)
    ),
)

UNSPEAKABLE_RESULT = Difference(
    "unspeakable-result",
    "what JSON cannot hold is written as Pydantic would (NaN as null) or escaped (surrogates); FastAPI: 500",
    lambda theirs, ours: (
        ours.raised is None
        and (ours.body == b"" or any(mark in ours.body for mark in (b"null", b"\\ud800", b'Infinity":', b'NaN":')))
        and (
            any(told.startswith(_UNWRITABLE) for told in _heard(theirs))
            # FastAPI writes it nowhere; a handler of the program's may tell why.
            or (b"\\ud800" in ours.body and (b"\\ud800" not in theirs.body or b"not allowed" in theirs.body))
        )
    ),
)

UNFINISHED = Difference(
    "unfinished-stream",
    "an event stream that fails keeps what it has yielded and is then cut off, as every other stream; FastAPI may drop "
    "the last events and may end the stream as if it were complete, or beneath middleware answer 500 in its place",
    lambda theirs, ours: (
        (b"content-type", b"text/event-stream; charset=utf-8") in ours.headers
        and ours.raised is not None
        and (
            theirs.status == 500
            or (
                ours.shape in (("http.response.start",), theirs.shape)  # Starlette's class ends it beneath middleware
                and ours.chunks[: len(theirs.chunks)] == theirs.chunks
                and replace(ours, chunks=(), shape=()) == replace(theirs, chunks=(), shape=())
            )
        )
    ),
)


def _begun_early(theirs: Outcome, ours: Outcome) -> bool:
    if (b"content-type", b"text/event-stream; charset=utf-8") not in ours.headers:
        # The closing fails, beside the generator, which slipstream has not started.
        is_group = theirs.status == 500 and (theirs.raised or "").startswith("ExceptionGroup: [")
        return is_group and Counter(map(repr, ours.log)) <= Counter(map(repr, theirs.log))
    bare, own = replace(theirs, log=()), replace(ours, log=())
    return sorted(theirs.log, key=repr) == sorted(ours.log, key=repr) and (bare == own or UNFINISHED.settles(bare, own))


EARLY = Difference(
    "stream-after-clean-up",
    "an event stream begins when the dependencies of scope 'function' are closed; FastAPI starts the generator beside "
    "their closing: which of the two comes first is chance, and what fails is in a group, which has no handler",
    _begun_early,
)

BOUNDARY = Difference(
    "drawn-boundary",
    "the text between the parts of a multipart answer is drawn at random",
    lambda theirs, ours: (
        theirs.status == ours.status
        and any(value.startswith(b"multipart/byteranges") for _, value in ours.headers)
        and len(theirs.body) == len(ours.body)
    ),
)


UPLOAD_ECHO = Difference(
    "upload-echo",
    "an error that echoes an upload shows the temporary file behind it; how much of that is of no use to anybody",
    lambda theirs, ours: _errors_but_inputs(theirs, ours, lambda value: "_max_mem_size" in repr(value)),
)

HANDLED = Difference(
    "handled-in-middleware",
    "an exception that middleware raises is answered by its handler, if it has one; FastAPI answers 500",
    lambda theirs, ours: (
        theirs.body == b"Internal Server Error"
        and (theirs.raised or "").startswith("UnicodeDecodeError: 'utf-8' codec can't decode byte")  # of `request.url`
        and (ours.raised, ours.log[: len(theirs.log)]) == (None, theirs.log)
    ),
)


def _calls_fewer(theirs: Outcome, ours: Outcome) -> bool:
    rest = iter(theirs.log)
    is_part = all(any(one == other for other in rest) for one in ours.log)
    called = {str(one).split()[0] for one in ours.log if str(one).strip()}
    left_out = Counter(map(str, theirs.log)) - Counter(map(str, ours.log))
    return is_part and {one.split()[0] for one in left_out if one} <= called and replace(theirs, log=ours.log) == ours


DROPPED = Difference(
    "dropped-result",
    "what a shared dependency needs is called once for it; FastAPI calls it again for each further use, with other "
    "scopes or without its cache, and drops the result",
    _calls_fewer,
)

DECLARED = (
    *EVERYWHERE, EMPTY_205, UNSPEAKABLE_RESULT, UNFINISHED, EARLY, BOUNDARY, UPLOAD_ECHO, HANDLED, DROPPED,
)  # fmt: skip
