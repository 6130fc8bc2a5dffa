# <slipstream GET /items/{item_id} -> golden_sync_endpoint.read_item, asgi>

async def handle(scope, receive, send):
    try:
        def work(each):
            # dependency settings (sync_endpoint.py:10)
            settings = each(call_settings)
            # path item_id: int (sync_endpoint.py:14)
            path_params = scope["path_params"]
            try:
                item_id = check_item_id(path_params["item_id"])
            except ValidationError as wrong:
                raise request_error(located(wrong, ("path", "item_id")), None, scope)
            # endpoint read_item (sync_endpoint.py:14)
            result = each(read_item, item_id, settings)
            return result
        result = await in_one_thread(work)
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
