# <slipstream GET /dice -> golden_use_cache_false.roll, asgi>

async def handle(scope, receive, send):
    try:
        # dependency draw (use_cache_false.py:10)
        first = await draw()
        # dependency draw (use_cache_false.py:10)
        second = await draw()
        # endpoint roll (use_cache_false.py:14)
        result = await roll(first, second)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
