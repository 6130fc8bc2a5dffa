# <slipstream WS /rooms/{room} -> golden_observed_websocket.talk, websocket, observed>

async def handle(scope, receive, send):
    errors = []
    websocket = WebSocket(scope, receive, send)
    observed = scope["fastapi.telemetry"]
    observed.enter(websocket, "golden_observed_websocket.talk")
    try:
        with observed.operation("fastapi.dependencies"):
            # path room: int (observed_websocket.py:8)
            path_params = scope["path_params"]
            try:
                room = check_room(path_params["room"])
            except ValidationError as wrong:
                errors += located(wrong, ("path", "room"))
            if errors:
                observed.invalid(errors, known_values(locals(), errors))
                raise websocket_error(errors, scope)
            observed.solved(dict(websocket=websocket, room=room))
        # endpoint talk (observed_websocket.py:8)
        with observed.operation("fastapi.endpoint"):
            await talk(websocket, room)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False, connection=websocket)
