"""Paths that others dial: WebSockets that we accept, and webhooks."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import responses
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from slipstream._foreign.starlette import channels_of
from slipstream._sockets.behind import protocol_behind
from slipstream.applications import FastAPI
from slipstream.exceptions import HTTPException, RequestValidationError
from slipstream.links.connection import Connection, Data, Transport, as_json
from slipstream.links.errors import CannotSend, LinkDown, NotRunning, logger
from slipstream.links.intake import Intake, TooLong
from slipstream.links.link import Link, Runner
from slipstream.links.queue import QueueFull
from slipstream.links.rules import Failure, closed
from slipstream.links.serving import QUEUE_FULL, close, finish, hold, last_words, serve
from slipstream.links.session import Session, Skipped
from slipstream.links.setup import LinkKind
from slipstream.links.supervise import first_of, working_for
from slipstream.params import Depends

Duplicates: TypeAlias = Literal["refuse", "replace", "allow"]
"""What to do when a peer that is connected connects again."""

Permission: TypeAlias = Callable[[Any], Any]
"""Asked, with the WebSocket, whether a peer may come in; see `Links.accept`."""

REPLACED = 4409
"""Close code of a connection whose peer has connected again."""

_WRITE_TIMEOUT = 10.0


class AcceptedTransport(Transport):
    """A WebSocket that the peer dialled."""

    def __init__(self, socket: WebSocket, link: str) -> None:
        self._socket, self._link = socket, link
        self.is_closed = False
        """Whether either side has closed."""
        self.stalled: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        """Why to stop reading; set when we do not wait for the peer any more."""

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed."""
        socket = self._socket
        connected = WebSocketState.CONNECTED
        return not self.is_closed and socket.client_state is connected and socket.application_state is connected

    async def send(self, data: Data) -> None:
        """Send one message; a peer that takes nothing for too long is let go."""
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT):
                await (self._socket.send_text(data) if isinstance(data, str) else self._socket.send_bytes(data))
        except TimeoutError:
            self.is_closed = True
            await self.end(Failure("silent", f"the peer took nothing for {_WRITE_TIMEOUT:g} seconds"))
            raise LinkDown(self._link, "the peer takes nothing") from None
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            self.is_closed = True
            raise LinkDown(self._link, "the connection has ended", getattr(error, "code", None)) from error

    async def close(self, failure: Failure) -> None:
        """Send a close frame; the server waits for the peer's, we do not."""
        if not self.is_open:
            return
        self.is_closed = True
        self.ended_by = self.ended_by or failure
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT):
                await self._socket.close(failure.code or 1011, failure.reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
            pass

    async def end(self, failure: Failure) -> None:
        """Stop reading; a close frame follows."""
        self.ended_by = self.ended_by or failure
        if not self.stalled.done():
            self.stalled.set_result(self.ended_by)


class Refusal(HTTPException):
    """Refuses a handshake with a ready answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


async def refuse(websocket: WebSocket, refusal: HTTPException) -> None:
    """Refuse a handshake: with 403 where the server has no way to send more, or with the answer of a `Refusal`.

    Any other `HTTPException` is raised, for the application's exception handlers to write the answer.
    """
    if "websocket.http.response" not in websocket.scope.get("extensions", {}):
        await websocket.close(1008, str(refusal.detail)[:100])
        return
    if refusal.status_code not in responses:  # servers know phrases for no others in a handshake
        refusal.status_code = 403
    if not isinstance(refusal, Refusal):
        raise refusal
    refusal.answer.status_code = refusal.status_code
    await websocket.send_denial_response(refusal.answer)


def wire_of(websocket: WebSocket) -> Any:
    """Return the wire of our server beneath a WebSocket; None if there is none, or middleware stands between."""
    protocol = protocol_behind(*channels_of(websocket))
    return None if protocol is None else protocol.wire


async def take_in(websocket: WebSocket, intake: Intake, silence: float | None = None) -> tuple[int, str]:
    """Take in what the peer sends until the connection ends; return the close code and the reason.

    Where the server is ours and no middleware stands between, messages come from the wire itself. Raises as
    `Intake.pour` does, and `TimeoutError` after `silence` seconds without a message.
    """

    async def receive() -> Any:
        async with asyncio.timeout(silence):
            event = await websocket.receive()
        if event["type"] == "websocket.disconnect":
            return event
        content = event.get("bytes")
        return event["text"] if content is None else content

    wire = wire_of(websocket) if silence is None else None
    end = await (intake.fetch(receive) if wire is None else intake.pour(wire))
    return end.get("code", 1005), end.get("reason") or ""


def raw_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Write headers as ASGI has them."""
    return [(name.lower().encode(), text.encode("latin-1")) for name, text in headers.items()]


@dataclass(eq=False)
class AcceptRunner(Runner):
    """WebSockets that we accept; see `Links.accept`."""

    target: str
    key: Callable[[Any], Any] | None
    permission: Permission | None
    duplicates: Duplicates
    subprotocols: Sequence[str]
    max_message: int
    silence: float | None
    remember: int
    kind: LinkKind = "accepted"

    def __post_init__(self) -> None:
        self.knows_peers = self.key is not None

    def mount(self, app: FastAPI, link: Link, dependencies: Sequence[Depends]) -> None:
        """Serve the path."""

        async def endpoint(websocket: WebSocket) -> None:
            await self._serve(websocket, link)

        app.add_api_websocket_route(self.target, endpoint, name=link.name, dependencies=list(dependencies))

    async def _serve(self, websocket: WebSocket, link: Link) -> None:
        if not link.home.is_running:
            raise NotRunning(link.name)
        connection_id = link.new_id()
        try:
            async with asyncio.timeout(link.options.opened_timeout):
                headers = await self._permit(websocket, link)
                key = connection_id if self.key is None else await _asked(self.key, websocket, link, "key")
        except HTTPException as refusal:
            await refuse(websocket, refusal)
            return
        except TimeoutError:
            logger.error("link %s: who a peer is took too long to find out", link.name)
            await refuse(websocket, HTTPException(503, headers={"Retry-After": "1"}))
            return
        known = link.sessions.get(key)
        old = known.connection if known is not None else None
        if link.is_stopping or (old is not None and self.duplicates == "refuse"):
            await websocket.close(1008)
            return
        offered = websocket.scope.get("subprotocols", ())
        subprotocol = next((each for each in offered if each in self.subprotocols), None)
        session = link.session(key)
        transport = AcceptedTransport(websocket, link.name)
        connection = Connection(
            session,
            transport,
            name=connection_id,
            url=websocket.url.path,
            headers=websocket.headers,
            path_params=websocket.path_params,
            subprotocol=subprotocol,
        )
        # From here to `hold` nothing waits: of two that come at once, the later one finds the earlier one here.
        if old is not None and self.duplicates == "replace":
            session.replace(old, REPLACED)
        else:
            old = None
        working_for.set(link)
        try:
            cancelled = Failure("error", "cancelled", side="us")
            talk = self._talk(websocket, link, session, connection, transport, old, headers)
            try:
                failure = await hold(link, session, connection, cancelled, talk)
            finally:
                if link.home.is_running:
                    self._retire(link, session)
            await transport.close(failure)
        finally:
            await finish(link, connection)

    async def _talk(
        self,
        websocket: WebSocket,
        link: Link,
        session: Session,
        connection: Connection,
        transport: AcceptedTransport,
        replaced: Connection | None,
        headers: Mapping[str, str],
    ) -> Failure:
        if replaced is not None:
            await replaced.close(REPLACED, "replaced by a newer connection")
        await websocket.accept(connection.subprotocol, raw_headers(headers))
        connection.wire = wire_of(websocket)
        if connection.is_replaced:  # by one that came before this one was accepted
            await connection.close(REPLACED, "replaced by a newer connection")
        return await first_of(
            self._read(websocket, transport, session, connection),
            serve(link, session, connection, f"serving {self.target}"),
            transport.stalled,
        )

    async def _read(
        self, websocket: WebSocket, transport: AcceptedTransport, session: Session, connection: Connection
    ) -> Failure:
        intake = Intake(session, connection, self.max_message)
        try:
            code, reason = await take_in(websocket, intake, self.silence)
        except TooLong:
            text = f"a message of more than {self.max_message} bytes"
            return await close(connection, Failure("protocol", text, code=1009, reason="message too big"))
        except QueueFull:
            return await close(connection, QUEUE_FULL)
        except TimeoutError:
            text = f"no message for {self.silence} seconds"
            return await close(connection, Failure("silent", text, code=1001, reason="silence"))
        transport.is_closed = True
        return await last_words(connection, closed("peer", code, reason))

    async def _permit(self, websocket: WebSocket, link: Link) -> Mapping[str, str]:
        """Return the headers of the answer to a peer's handshake; raise `HTTPException` if the peer may not come in.

        Only True and a mapping admit: a function that returns nothing on one of its ways admits no peer.
        """
        answer = True if self.permission is None else await _asked(self.permission, websocket, link, "permission")
        if answer is not True and not isinstance(answer, Mapping):
            raise HTTPException(403)
        return {} if answer is True else answer

    def _retire(self, link: Link, session: Session) -> None:
        """Forget a peer without a key when its events have been handled; of those with one, the longest away."""
        if session.connection is not None:
            return
        if self.key is None:
            link.home.spawn(_forget(link, session), f"links: {link.name} end of {session.key}")
            return
        link.sessions[session.key] = link.sessions.pop(session.key)  # to the end: the latest to leave
        away = [each for each in link.sessions.values() if each.connection is None and not each.waiting]
        for each in away[: max(0, len(away) - self.remember)]:
            link.home.spawn(_forget(link, each), f"links: {link.name} end of {each.key}")


async def _asked(function: Callable[[Any], Any], websocket: WebSocket, link: Link, what: str) -> Any:
    """Ask a function of the program about a peer; raise `HTTPException` if it refuses the peer, or raises."""
    try:
        answer = function(websocket)
        answer = await answer if inspect.isawaitable(answer) else answer
        if what == "key":
            hash(answer)
    except (HTTPException, TimeoutError):
        raise
    except Exception as error:
        logger.warning("link %s: refused a peer whose %s cannot be read: %s", link.name, what, type(error).__name__)
        raise HTTPException(403) from error
    if isinstance(answer, Response):
        raise Refusal(answer)
    return answer


async def _forget(link: Link, session: Session) -> None:
    await session.join()
    if session.connection is None and link.sessions.get(session.key) is session and not link.is_stopping:
        del link.sessions[session.key]
        link.report_dropped(session.outbox.clear(link.clock.now().monotonic, "forgotten"))
        await session.dismiss()


class WebhookTransport(Transport):
    """The answer to one request: one message, until the handler has come to its end."""

    is_open = True

    def __init__(self, link: str) -> None:
        self._link = link
        self.answer: Data | None = None

    async def send(self, data: Data) -> None:
        """Make a message the answer; raise `CannotSend` if there is one already."""
        if self.answer is not None:
            raise CannotSend(self._link, "webhook")
        self.answer = data

    async def close(self, failure: Failure) -> None:
        """Take no answer any more."""
        self.is_open = False


@dataclass(eq=False)
class WebhookRunner(Runner):
    """A path to which others POST; see `Links.webhook`."""

    target: str
    wait: bool
    max_message: int
    kind: LinkKind = "webhook"

    def mount(self, app: FastAPI, link: Link, dependencies: Sequence[Depends]) -> None:
        """Serve the path."""

        async def endpoint(request: Request) -> Response:
            return await self._serve(request, link)

        app.add_api_route(
            self.target,
            endpoint,
            methods=["POST"],
            name=link.name,
            dependencies=list(dependencies),
            include_in_schema=False,
            max_body_size=self.max_message,
            response_model=None,
        )

    async def _serve(self, request: Request, link: Link) -> Response:
        if not link.home.is_running:
            raise NotRunning(link.name)
        body = await request.body()
        session = link.session()
        transport = WebhookTransport(link.name)
        connection = Connection(
            session,
            transport,
            name=link.new_id(),
            url=request.url.path,
            headers=request.headers,
            path_params=request.path_params,
        )
        transport.is_open = self.wait
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            is_queued = await session.deliver(connection, body, outcome, is_strict=True)
        except QueueFull:
            return _busy()
        except ValidationError as error:
            raise RequestValidationError(
                [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
            ) from error
        except ValueError as error:
            raise HTTPException(422, "the body is no event") from error
        if not is_queued:
            # Refused while stopping, or handled already; a repeat of what is in handling waits with it.
            return _busy() if link.is_stopping else Response(status_code=204)
        if not self.wait:
            return Response(status_code=202)
        try:
            result = await asyncio.shield(outcome)
        except Skipped:
            return _busy()
        except (HTTPException, RequestValidationError):
            raise
        except Exception:  # logged where it was raised
            return JSONResponse({"detail": "Internal Server Error"}, status_code=500)
        finally:
            transport.is_open = False
        answer = transport.answer
        if answer is None and result is not None:
            answer = as_json(result)
        if answer is None:
            return Response(status_code=204)
        return Response(answer, media_type="application/json" if isinstance(answer, str) else None)


def _busy() -> Response:
    return JSONResponse({"detail": "Service Unavailable"}, status_code=503, headers={"Retry-After": "1"})
