# <slipstream POST /messages -> golden_background_tasks.send_message, asgi>

async def handle(scope, receive, send):
    try:
        background = background_tasks()
        # query message: str (background_tasks.py:11)
        query = read_query(scope["query_string"])
        message = query.get("message")
        if message is None:
            raise request_error([missing(("query", "message"))], None, scope)
        # endpoint send_message (background_tasks.py:11)
        result = await send_message(message, background)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail, background)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
        await run_tasks(background, scope, receive, send, fail)
