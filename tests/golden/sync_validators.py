# <slipstream GET /items/{item_id} -> golden_sync_validators.read_item, asgi>

async def handle(scope, receive, send):
    try:
        def work(each):
            # dependency settings (sync_validators.py:25)
            settings = each(call_settings)
            # dependency connection (sync_validators.py:29)
            connection = each(call_connection)
            return settings, connection
        settings, connection = await in_one_thread(work)
        # path item_id: int (sync_validators.py:33)
        path_params = scope["path_params"]
        try:
            item_id = check_item_id(path_params["item_id"])
        except ValidationError as wrong:
            raise request_error(located(wrong, ("path", "item_id")), None, scope)
        def work(each):
            # endpoint read_item (sync_validators.py:33)
            result = each(read_item, item_id, settings, connection)
            if not isinstance(result, Response):
                result = each(check_result, result)
            return result
        result = await in_one_thread(work)
        payload = None if isinstance(result, Response) else dump_result(result, by_alias=True)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
