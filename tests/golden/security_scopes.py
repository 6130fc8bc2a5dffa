# <slipstream GET /me/items -> golden_security_scopes.read_own_items, asgi>

async def handle(scope, receive, send):
    request = Request(scope, receive, send)
    try:
        # dependency bearer (security_scopes.py:9)
        token = await bearer(request=request)
        # dependency current_user (security_scopes.py:18)
        user = await current_user(SecurityScopes(scopes=["me", "items"]), token)
        # endpoint read_own_items (security_scopes.py:22)
        result = await read_own_items(user)
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
