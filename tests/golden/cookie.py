# <slipstream GET /items -> golden_cookie.list_items, asgi>

async def handle(scope, receive, send):
    try:
        # cookie session: str (cookie.py:10)
        cookies = read_cookies(scope)
        session = cookies.get("session")
        if session is None:
            raise request_error([missing(("cookie", "session"))], None, scope)
        # cookie theme: str | None = None (cookie.py:10)
        theme = cookies.get("theme")
        # endpoint list_items (cookie.py:10)
        result = await list_items(session, theme)
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
