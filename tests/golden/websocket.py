# <slipstream WS /rooms/{room_id} -> golden_websocket.chat, websocket>

async def handle(scope, receive, send):
    errors = []
    exits = []
    websocket = WebSocket(scope, receive, send)
    try:
        # query token: str (websocket.py:11)
        query = read_query(scope["query_string"])
        token = query.get("token")
        if token is None:
            errors += [missing(("query", "token"))]
        # dependency user (websocket.py:11)
        if not errors:
            opened = call_user(token)
            try:
                user = await opened.__anext__()
            except StopAsyncIteration:
                raise not_yielded(opened) from None
            exits.append(opened)
        # path room_id: int (websocket.py:15)
        path_params = scope["path_params"]
        try:
            room_id = check_room_id(path_params["room_id"])
        except ValidationError as wrong:
            errors += located(wrong, ("path", "room_id"))
        if errors:
            raise websocket_error(errors, scope)
        # endpoint chat (websocket.py:15)
        await chat(websocket, room_id, user)
        # close user
        async for _ in exits.pop():
            raise not_stopped()
    except BaseException as exc:
        return await fail_open(exits, exc, False, scope, receive, send, connection=websocket)
