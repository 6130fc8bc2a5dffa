# <slipstream PUT /items/{item_id} -> golden_json_model_and_path.update_item, asgi>

async def handle(scope, receive, send):
    errors = []
    raw = None
    try:
        # body, as JSON (json_model_and_path.py:15)
        raw = await read_body(receive)
        content_type = find_header(scope, b"content-type")
        try:
            item = parse_item(raw) if content_type == b"application/json" or is_json(content_type, True) else UNSET
        except ValidationError:
            item = UNSET  # told in full below
        if item is UNSET:
            body = decode_body(raw, content_type, scope)
        # path item_id: int (json_model_and_path.py:15)
        path_params = scope["path_params"]
        try:
            item_id = check_item_id(path_params["item_id"])
        except ValidationError as wrong:
            errors += located(wrong, ("path", "item_id"))
        # query notify: bool = False (json_model_and_path.py:15)
        query = read_query(scope["query_string"])
        given = query.get("notify")
        if given is None:
            notify = False
        else:
            try:
                notify = check_notify(given)
            except ValidationError as wrong:
                errors += located(wrong, ("query", "notify"))
        # body item: Item (json_model_and_path.py:15)
        if item is UNSET:
            item, wrong = take_item(body)
            errors += wrong
        if errors:
            raise request_error(errors, decode_body(raw, content_type, scope), scope)
        # endpoint update_item (json_model_and_path.py:15)
        result = await update_item(item_id, item, notify)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False, body=raw)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
