# <slipstream DELETE /items/{item_id} -> golden_no_content.delete_item, asgi>

async def handle(scope, receive, send):
    try:
        # path item_id: str (no_content.py:8)
        path_params = scope["path_params"]
        item_id = path_params["item_id"]
        # endpoint delete_item (no_content.py:8)
        result = await delete_item(item_id)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        await send({"type": "http.response.start", "status": 204, "headers": [JSON_TYPE]})
        await send({"type": "http.response.body", "body": b""})
