"""Paths that others dial: WebSockets that we accept, and webhooks."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass
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
from slipstream.links.errors import CannotSend, LinkDown, NotRunning, logger
from slipstream.links.intake import Intake
from slipstream.links.link import Link
from slipstream.links.queue import QueueFull
from slipstream.links.rules import Failure, closed
from slipstream.links.serving import finish, hold, read, serve
from slipstream.links.session import Connection, Data, Session, Skipped, as_json
from slipstream.links.setup import LinkOptions
from slipstream.links.supervise import Home, first_of, working_for
from slipstream.params import Depends

Duplicates: TypeAlias = Literal["refuse", "replace", "allow"]
"""What to do when a peer that is connected connects again."""

Permission: TypeAlias = Callable[[Any], Any]
"""Asked, with the WebSocket, whether a peer may come in; see `Links.accept`."""

REPLACED = 4409
"""Close code of a connection whose peer has connected again."""

_WRITE_TIMEOUT = 10.0


class AcceptedConnection(Connection):
    """A WebSocket that the peer dialled."""

    def __init__(self, session: Session, socket: WebSocket, name: str, subprotocol: str | None) -> None:
        path, headers = socket.url.path, socket.headers
        super().__init__(session, path, headers, name=name, path_params=socket.path_params, subprotocol=subprotocol)
        self.socket = socket
        self.is_over = False
        """Whether either side has closed."""
        self.stalled: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        """Why to stop reading; set when we do not wait for the peer any more."""

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed."""
        connected = WebSocketState.CONNECTED
        is_connected = self.socket.client_state is connected and self.socket.application_state is connected
        return is_connected and not self.is_over

    async def carry(self, data: Data) -> None:
        """Send one message; a peer that takes nothing for too long is let go."""
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT):
                await (self.socket.send_text(data) if isinstance(data, str) else self.socket.send_bytes(data))
        except TimeoutError:
            self.is_over = True
            await self.end(Failure("silent", f"the peer took nothing for {_WRITE_TIMEOUT:g} seconds"))
            raise LinkDown(self.link.name, "the peer takes nothing") from None
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            self.is_over = True
            raise LinkDown(self.link.name, "the connection has ended", getattr(error, "code", None)) from error

    async def hang_up(self, failure: Failure) -> Failure:
        """Send a close frame; the server waits for the peer's, we do not."""
        if self.is_open:
            self.is_over = True
            self.ended_by = self.ended_by or failure
            try:
                async with asyncio.timeout(_WRITE_TIMEOUT):
                    await self.socket.close(failure.code or 1011, failure.reason)
            except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
                pass
        return failure

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


@dataclass(eq=False, repr=False)
class AcceptedLink(Link):
    """WebSockets that we accept; see `Links.accept`."""

    home: Home
    given: InitVar[LinkOptions]
    target: str
    known_by: Callable[[Any], Any] | None
    permission: Permission | None
    duplicates: Duplicates
    subprotocols: Sequence[str]
    max_message: int
    silence: float | None
    remember: int
    kind = "accepted"

    def __post_init__(self, given: LinkOptions) -> None:
        super().__init__(self.home, given)
        self.knows_peers = self.known_by is not None

    def mount(self, app: FastAPI, dependencies: Sequence[Depends]) -> None:
        """Serve the path."""
        app.add_api_websocket_route(self.target, self.serve, name=self.name, dependencies=list(dependencies))

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a peer until the connection ends."""
        if not self.home.is_running:
            raise NotRunning(self.name)
        name = self.new_id()
        try:
            async with asyncio.timeout(self.options.opened_timeout):
                headers = await self._permit(websocket)
                key = name if self.known_by is None else await self._asked(self.known_by, websocket, "key")
        except HTTPException as refusal:
            await refuse(websocket, refusal)
            return
        except TimeoutError:
            logger.error("link %s: who a peer is took too long to find out", self.name)
            await refuse(websocket, HTTPException(503, headers={"Retry-After": "1"}))
            return
        known = self.sessions.get(key)
        old = known.connection if known is not None else None
        if self.is_stopping or (old is not None and self.duplicates == "refuse"):
            await websocket.close(1008)
            return
        offered = websocket.scope.get("subprotocols", ())
        subprotocol = next((each for each in offered if each in self.subprotocols), None)
        session = self.session(key)
        connection = AcceptedConnection(session, websocket, name, subprotocol)
        # From here to `hold` nothing waits: of two that come at once, the later one finds the earlier one here.
        if self.duplicates != "replace":
            old = None
        if old is not None:
            session.replace(old, REPLACED)
        working_for.set(self)
        try:
            cancelled = Failure("error", "cancelled", side="us")
            try:
                failure = await hold(connection, cancelled, self._talk(connection, old, headers))
            finally:
                if self.home.is_running:
                    self._retire(session)
            await connection.hang_up(failure)
        finally:
            await finish(connection)

    async def _talk(
        self, connection: AcceptedConnection, replaced: Connection | None, headers: Mapping[str, str]
    ) -> Failure:
        if replaced is not None:
            await replaced.close(REPLACED, "replaced by a newer connection")
        await connection.socket.accept(connection.subprotocol, raw_headers(headers))
        connection.wire = wire_of(connection.socket)
        if connection.is_replaced:  # by one that came before this one was accepted
            await connection.close(REPLACED, "replaced by a newer connection")
        return await first_of(
            read(connection, self._take_in(connection), self.max_message, self.silence),
            serve(connection, f"serving {self.target}"),
            connection.stalled,
        )

    async def _take_in(self, connection: AcceptedConnection) -> Failure:
        intake = Intake(connection.session, connection, self.max_message)
        code, reason = await take_in(connection.socket, intake, self.silence)
        connection.is_over = True
        return closed("peer", code, reason)

    async def _permit(self, websocket: WebSocket) -> Mapping[str, str]:
        """Return the headers of the answer to a peer's handshake; raise `HTTPException` if the peer may not come in.

        Only True and a mapping admit: a function that returns nothing on one of its ways admits no peer.
        """
        answer = True if self.permission is None else await self._asked(self.permission, websocket, "permission")
        if answer is not True and not isinstance(answer, Mapping):
            raise HTTPException(403)
        return {} if answer is True else answer

    async def _asked(self, function: Callable[[Any], Any], websocket: WebSocket, what: str) -> Any:
        """Ask a function of the program about a peer; raise `HTTPException` if it refuses the peer, or raises."""
        try:
            answer = function(websocket)
            answer = await answer if inspect.isawaitable(answer) else answer
            if what == "key":
                hash(answer)
        except (HTTPException, TimeoutError):
            raise
        except Exception as error:
            logger.warning("link %s: refused a peer whose %s cannot be read: %s", self.name, what, type(error).__name__)
            raise HTTPException(403) from error
        if isinstance(answer, Response):
            raise Refusal(answer)
        return answer

    def _retire(self, session: Session) -> None:
        """Forget a peer without a key when its events have been handled; of those with one, the longest away."""
        if session.connection is not None:
            return
        forgotten = [session]
        if self.known_by is not None:
            self.sessions[session.key] = self.sessions.pop(session.key)  # to the end: the latest to leave
            away = [each for each in self.sessions.values() if each.connection is None and not each.waiting]
            forgotten = away[: max(0, len(away) - self.remember)]
        for each in forgotten:
            self.home.spawn(self._forget(each), f"links: {self.name} end of {each.key}")

    async def _forget(self, session: Session) -> None:
        await session.join()
        if session.connection is None and self.sessions.get(session.key) is session and not self.is_stopping:
            del self.sessions[session.key]
            self.report_dropped(session.outbox.clear(self.clock.now().monotonic, "forgotten"))
            await session.dismiss()


class WebhookConnection(Connection):
    """One request: takes one message, its answer, until the handler has come to its end."""

    is_open = True
    answer: Data | None = None

    async def carry(self, data: Data) -> None:
        """Make a message the answer; raise `CannotSend` if there is one already."""
        if self.answer is not None:
            raise CannotSend(self.link.name, "webhook")
        self.answer = data

    async def hang_up(self, failure: Failure) -> Failure:
        """Take no answer any more."""
        self.is_open = False
        return failure


@dataclass(eq=False, repr=False)
class WebhookLink(Link):
    """A path to which others POST; see `Links.webhook`."""

    home: Home
    given: InitVar[LinkOptions]
    target: str
    wait: bool
    max_message: int
    kind = "webhook"

    def __post_init__(self, given: LinkOptions) -> None:
        super().__init__(self.home, given)

    def mount(self, app: FastAPI, dependencies: Sequence[Depends]) -> None:
        """Serve the path."""
        app.add_api_route(
            self.target,
            self.serve,
            methods=["POST"],
            name=self.name,
            dependencies=list(dependencies),
            include_in_schema=False,
            max_body_size=self.max_message,
            response_model=None,
        )

    async def serve(self, request: Request) -> Response:
        """Answer a request."""
        if not self.home.is_running:
            raise NotRunning(self.name)
        body, session = await request.body(), self.session()
        connection = WebhookConnection(session, request.url.path, request.headers, path_params=request.path_params)
        connection.is_open = self.wait
        try:
            outcome = await session.deliver(connection, body)
        except QueueFull:
            return _busy()
        except ValidationError as error:
            raise RequestValidationError(
                [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
            ) from error
        except ValueError as error:
            raise HTTPException(422, "the body is no event") from error
        if outcome is None:
            # Refused while stopping, or handled already; a repeat of what is in handling waits with it.
            return _busy() if self.is_stopping else Response(status_code=204)
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
            connection.is_open = False
        answer = connection.answer
        if answer is None and result is not None:
            answer = as_json(result)
        if answer is None:
            return Response(status_code=204)
        return Response(answer, media_type="application/json" if isinstance(answer, str) else None)


def _busy() -> Response:
    return JSONResponse({"detail": "Service Unavailable"}, status_code=503, headers={"Retry-After": "1"})
