# <slipstream PUT /items/{item_id} -> golden_direct_door_injected_response.put_item, direct>

async def handle(scope, receive, send, raw, reply):
    try:
        response = blank_response()
        # path item_id: str (direct_door_injected_response.py:8)
        path_params = scope["path_params"]
        item_id = path_params["item_id"]
        # endpoint put_item (direct_door_injected_response.py:8)
        result = await put_item(item_id, response)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        if reply_quickly(exc, scope, reply):
            return
        complete_scope(scope)
        return await fail(exc, scope, receive, send, started=False, reply=reply)
    # reply
    if payload is None:
        if not reply_whole(result, reply):
            complete_scope(scope)
            await respond(result, scope, receive, send, fail)
    else:
        start, end = json_messages(payload, response.status_code or 200, response.headers.raw)
        if not reply(start["status"], start["headers"], end["body"], True):
            await send(start)
            await send(end)
