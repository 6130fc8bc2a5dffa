# <slipstream GET /items -> golden_response_model_options.list_items, asgi>

async def handle(scope, receive, send):
    try:
        # endpoint list_items (response_model_options.py:16)
        result = await list_items()
        if isinstance(result, Response):
            payload = None
        else:
            payload = dump_result(check_result(result), exclude=exclude, exclude_unset=True)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
