# <slipstream GET /users/{user_name}/items/{item_id} -> golden_path_int.read_item, asgi>

async def handle(scope, receive, send):
    try:
        # path user_name: str (path_int.py:8)
        path_params = scope["path_params"]
        user_name = path_params["user_name"]
        # path item_id: int (path_int.py:8)
        try:
            item_id = check_item_id(path_params["item_id"])
        except ValidationError as wrong:
            raise request_error(located(wrong, ("path", "item_id")), None, scope)
        # endpoint read_item (path_int.py:8)
        result = await read_item(user_name, item_id)
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
