# <slipstream POST /items -> golden_direct_door_json_model.create_item, direct>

async def handle(scope, receive, send, raw, reply):
    try:
        # body item: Item (direct_door_json_model.py:15)
        content_type = find_header(scope, b"content-type")
        try:
            item = parse_item(raw) if content_type == b"application/json" or is_json(content_type, True) else UNSET
        except ValidationError:
            item = UNSET  # told in full below
        if item is UNSET:
            body = decode_body(raw, content_type, scope)
            item, wrong = take_item(body)
            if wrong:
                raise request_error(wrong, body, scope)
        # endpoint create_item (direct_door_json_model.py:15)
        result = await create_item(item)
        if type(result) is Item:
            payload = dump_result(result)
        elif isinstance(result, Response):
            payload = None
        else:
            payload = dump_result(check_result(result))
    except Exception as exc:
        if reply_quickly(exc, scope, reply):
            return
        complete_scope(scope)
        return await fail(exc, scope, receive, send, started=False, body=raw, reply=reply)
    # reply
    if payload is None:
        if not reply_whole(result, reply):
            complete_scope(scope)
            await respond(result, scope, receive, send, fail)
    else:
        reply(201, JSON_HEADERS, payload)
