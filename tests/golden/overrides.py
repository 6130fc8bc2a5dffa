# <slipstream GET /me -> golden_overrides.read_me, asgi>

async def handle(scope, receive, send):
    try:
        # query name: str = "Alice" (overrides.py:14)
        query = read_query(scope["query_string"])
        name = query.get("name", "Alice")
        # dependency fake_user (overrides.py:14)
        user = await fake_user(name)
        # endpoint read_me (overrides.py:18)
        result = await read_me(user)
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
