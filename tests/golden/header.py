# <slipstream GET /items -> golden_header.list_items, asgi>

async def handle(scope, receive, send):
    errors = []
    try:
        # header x_token: str (header.py:10)
        headers = read_headers(scope)
        x_token = headers.get(b"x-token")
        if x_token is None:
            errors += [missing(("header", "x-token"))]
        else:
            x_token = x_token.decode("latin-1")
        # header user_agent: str | None = None (header.py:10)
        user_agent = headers.get(b"user-agent")
        if user_agent is None:
            pass
        else:
            user_agent = user_agent.decode("latin-1")
        # header x_limit: int = 10 (header.py:10)
        given = headers.get(b"x-limit")
        if given is None:
            x_limit = 10
        else:
            try:
                x_limit = check_x_limit(given.decode("latin-1"))
            except ValidationError as wrong:
                errors += located(wrong, ("header", "x-limit"))
        if errors:
            raise request_error(errors, None, scope)
        # endpoint list_items (header.py:10)
        result = await list_items(x_token, user_agent, x_limit)
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
