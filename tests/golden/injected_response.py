# <slipstream PUT /items/{item_id} -> golden_injected_response.put_item, asgi>

async def handle(scope, receive, send):
    try:
        response = blank_response()
        # path item_id: str (injected_response.py:8)
        path_params = scope["path_params"]
        item_id = path_params["item_id"]
        # endpoint put_item (injected_response.py:8)
        result = await put_item(item_id, response)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        start, end = json_messages(payload, response.status_code or 200, response.headers.raw)
        await send(start)
        await send(end)
