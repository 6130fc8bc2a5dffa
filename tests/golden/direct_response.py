# <slipstream GET /whoami -> golden_direct_response.who_am_i, asgi>

async def handle(scope, receive, send):
    request = Request(scope, receive, send)
    try:
        # endpoint who_am_i (direct_response.py:9)
        result = await who_am_i(request)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False, connection=request)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
