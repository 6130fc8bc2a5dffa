# <slipstream GET /rows -> golden_yield_async.list_rows, asgi>

async def handle(scope, receive, send):
    exits = []
    sent = False
    try:
        # dependency connection (yield_async.py:11)
        opened = call_connection()
        try:
            connection = await opened.__anext__()
        except StopAsyncIteration:
            raise not_yielded(opened) from None
        exits.append(opened)
        # endpoint list_rows (yield_async.py:15)
        result = await list_rows(connection)
        payload = None if isinstance(result, Response) else encode(result)
        # reply
        if payload is None:
            await respond_open(result, scope, receive, send)
            sent = True
        else:
            sent = True
            length = (b"content-length", b"%d" % len(payload))
            await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
            await send({"type": "http.response.body", "body": payload})
        # close connection
        async for _ in exits.pop():
            raise not_stopped()
    except BaseException as exc:
        return await fail_open(exits, exc, sent, scope, receive, send)
