# <slipstream POST /items -> golden_json_model.create_item, asgi>

async def handle(scope, receive, send):
    raw = None
    try:
        # body item: Item (json_model.py:15)
        raw = await read_body(receive)
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
        # endpoint create_item (json_model.py:15)
        result = await create_item(item)
        if type(result) is Item:
            payload = dump_result(result)
        elif isinstance(result, Response):
            payload = None
        else:
            payload = dump_result(check_result(result))
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False, body=raw)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 201, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
