"""WebSocket endpoints: parameters, dependencies, conversations, and how they end."""

from typing import Any

from hypothesis import given, strategies as st

from .harness import Pair, Sent
from .strategies import PREAMBLE, examples, params, requests, scalar_kinds, sequence_kinds

SOCKETS = """
from fastapi import WebSocketException, WebSocketDisconnect
from fastapi.exceptions import WebSocketRequestValidationError
from starlette.websockets import WebSocketState

log = []

class Mine(Exception):
    pass

def closing():
    log.append("open")
    try:
        yield "dep"
    except BaseException as exc:
        log.append(f"hears {type(exc).__name__}")
        raise
    finally:
        log.append("closed")

def swallowing():
    try:
        yield "dep"
    except Exception as exc:
        log.append(f"swallows {type(exc).__name__}")

async def asking(websocket: WebSocket, token: str | None = None):
    if token == "bad":
        raise WebSocketException(4001, "bad token")
    if token == "http":
        raise HTTPException(403, "no", headers={"x-a": "b"})
    return token

# --- end of preamble
"""

STEPS = (
    "await websocket.accept()",
    "await websocket.accept(subprotocol='p', headers=[(b'x-a', b'b')])",
    "await websocket.send_text(f'{seen}')",
    "await websocket.send_json({'a': [1, None]})",
    "await websocket.send_json(1, mode='binary')",
    "await websocket.send_bytes(b'b')",
    "log.append(await websocket.receive_text())",
    "log.append(await websocket.receive_json())",
    "log.append(await websocket.receive_bytes())",
    "log.append(await websocket.receive())",
    "await websocket.close(code=3000, reason='r')",
    "raise WebSocketException(1008, reason='why')",
    "raise HTTPException(401, detail='d')",
    "raise Mine('m')",
    "raise ValueError('v')",
    "raise WebSocketDisconnect(1001)",
    "log.append([message async for message in websocket.iter_text()])",
    "log.append(str(websocket.client_state))",
)

HANDLERS = (
    "",
    "@app.exception_handler(Mine)\nasync def h(websocket, exc):\n"
    "    log.append('h')\n    await websocket.close(4444)\n",
    "@app.exception_handler(WebSocketRequestValidationError)\n"
    "async def h(websocket, exc):\n    log.append(repr(exc.errors()))\n    await websocket.close(4422)\n",
    "@app.exception_handler(WebSocketException)\nasync def h(websocket, exc):\n"
    "    await websocket.close(exc.code + 1)\n",
    "@app.exception_handler(HTTPException)\nasync def h(websocket, exc):\n    log.append('http')\n    raise exc\n",
    "@app.exception_handler(Exception)\nasync def h(websocket, exc):\n    log.append('all')\n",
)

INCOMING = st.sampled_from(
    [
        {"type": "websocket.receive", "text": "hello"},
        {"type": "websocket.receive", "text": '{"a": 1}'},
        {"type": "websocket.receive", "bytes": b"raw"},
        {"type": "websocket.receive", "text": None, "bytes": b"[2]"},
        {"type": "websocket.disconnect", "code": 1001, "reason": "gone"},
    ]
)

DEPENDENCIES = (
    "", "", "a: Annotated[Any, Depends(closing)]", "a: Annotated[Any, Depends(asking)]",
    "a: Annotated[Any, Depends(closing, scope='function')]", "a: Annotated[Any, Depends(swallowing)]",
    "a: Annotated[Any, Depends(swallowing, scope='function')], b: Any = Depends(closing)",
    "a: Annotated[Any, Depends(asking)], b: Any = Depends(closing)",
)  # fmt: skip


@examples(60)
@given(data=st.data())
def test_conversations_go_as_under_fastapi(data: Any) -> None:
    """The same messages in the same order, and the same end, whatever either side does."""
    draw = data.draw
    kinds = {
        "query": scalar_kinds | sequence_kinds,
        "header": scalar_kinds,
        "cookie": scalar_kinds,
        "path": scalar_kinds,
    }
    sources = draw(st.lists(st.sampled_from(sorted(kinds)), max_size=2))
    declared = tuple(draw(params(f"{source[0]}{index}", source, kinds[source])) for index, source in enumerate(sources))
    dependencies = draw(st.sampled_from(DEPENDENCIES))
    listed = draw(st.sampled_from(["", "", ", dependencies=[Depends(closing)]", ", dependencies=[Depends(asking)]"]))
    path = "".join(f"/{{{param.names[0]}}}" for param in declared if param.source == "path")
    parameters = ", ".join(part for part in (dependencies, *(param.declaration for param in declared)) if part)
    seen = ", ".join([*(f"show({param.names[0]})" for param in declared), *(["a"] if dependencies else [])])
    steps = draw(st.lists(st.sampled_from(STEPS), max_size=5))
    if draw(st.integers(0, 4)):
        steps.insert(0, "await websocket.accept()")
    on_router = draw(st.booleans())
    source = (
        draw(st.sampled_from(HANDLERS))
        + "router = APIRouter(prefix='/at')\n"
        + f"@router.websocket('{path or '/'}'{listed})\n"
        + f"async def endpoint(websocket: WebSocket{', *, ' if parameters else ''}{parameters}):\n"
        + f"    seen = [{seen}]\n"
        + "".join(f"    {step}\n" for step in steps)
        + ("app.include_router(router)\n" if on_router else "app.mount('', router)\n")
    )
    pair = Pair(PREAMBLE + SOCKETS + source)
    if pair.is_refused:
        return
    for _ in range(4):
        sent: Sent = draw(requests(declared, path="/at" if path else "/at/"))
        token = draw(st.sampled_from([b"", b"", b"token=bad", b"token=http", b"token=good"]))
        query = b"&".join(part for part in (token, sent.query) if part)
        sent = Sent(path=sent.path, query=query, headers=sent.headers)
        pair.websocket(sent, draw(st.lists(INCOMING, max_size=4)))


def test_a_path_that_no_websocket_route_serves_is_closed() -> None:
    """Plain routes do not answer WebSockets, nor WebSocket routes plain requests."""
    pair = Pair(
        PREAMBLE
        + "@app.websocket('/ws')\nasync def ws(websocket: WebSocket):\n    pass\n@app.get('/x')\ndef x(): ...\n"
    )

    for path in ("/nowhere", "/x", "/ws", "/ws/"):
        pair.websocket(Sent(path=path))
        pair.get(path)
