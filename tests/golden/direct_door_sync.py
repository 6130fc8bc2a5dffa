# <slipstream GET /items/{item_id} -> golden_direct_door_sync.read_item, direct>

async def handle(scope, receive, send, raw, reply):
    try:
        # path item_id: int (direct_door_sync.py:8)
        path_params = scope["path_params"]
        try:
            item_id = check_item_id(path_params["item_id"])
        except ValidationError as wrong:
            raise request_error(located(wrong, ("path", "item_id")), None, scope)
        def work(each):
            # endpoint read_item (direct_door_sync.py:8)
            result = each(read_item, item_id)
            payload = None if isinstance(result, Response) else dump_result(each(check_result, result))
            return result, payload
        result, payload = await in_one_thread(work)
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
        reply(200, JSON_HEADERS, payload)
