# <slipstream GET /rows -> golden_yield_scope.list_rows, asgi>

async def handle(scope, receive, send):
    exits = []
    sent = False
    try:
        shield = open_shield(exits)
        # dependency workers (yield_scope.py:14)
        opened = ShieldedGenerator(workers(), shield)
        group = await opened.__anext__()
        exits.append(opened)
        # endpoint list_rows (yield_scope.py:19)
        result = await list_rows(group)
        payload = None if isinstance(result, Response) else dump_result(check_result(result))
        # reply
        if payload is None:
            await respond_open(result, scope, receive, send)
            sent = True
        else:
            sent = True
            length = (b"content-length", b"%d" % len(payload))
            await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
            await send({"type": "http.response.body", "body": payload})
        await leave(exits)
    except BaseException as exc:
        return await fail_open(exits, exc, sent, scope, receive, send)
