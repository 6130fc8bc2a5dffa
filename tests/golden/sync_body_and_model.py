# <slipstream PUT /items/{item_id} -> golden_sync_body_and_model.put_item, asgi>

async def handle(scope, receive, send):
    errors = []
    exits = []
    raw = None
    sent = False
    try:
        # body, as JSON (sync_body_and_model.py:26)
        raw = await read_body(receive)
        content_type = find_header(scope, b"content-type")
        try:
            item = parse_item(raw) if content_type == b"application/json" or is_json(content_type, True) else UNSET
        except ValidationError:
            item = UNSET  # told in full below
        if item is UNSET:
            body = decode_body(raw, content_type, scope)
        def work(each):
            nonlocal errors, item
            # dependency session (sync_body_and_model.py:18)
            opened = ThreadGenerator(call_session())
            session = each(opened.enter)
            exits.append(opened)
            # query token: str (sync_body_and_model.py:22)
            query = read_query(scope["query_string"])
            token = query.get("token")
            if token is None:
                errors += [missing(("query", "token"))]
            # dependency user (sync_body_and_model.py:22)
            if not errors:
                user = each(call_user, token, session)
            # path item_id: int (sync_body_and_model.py:26)
            path_params = scope["path_params"]
            try:
                item_id = check_item_id(path_params["item_id"])
            except ValidationError as wrong:
                errors += located(wrong, ("path", "item_id"))
            # body item: Item (sync_body_and_model.py:26)
            if item is UNSET:
                item, wrong = take_item(body)
                errors += wrong
            if errors:
                raise request_error(errors, decode_body(raw, content_type, scope), scope)
            # endpoint put_item (sync_body_and_model.py:26)
            result = each(put_item, item_id, item, user)
            if type(result) is Item:
                payload = dump_result(result)
            elif isinstance(result, Response):
                payload = None
            else:
                payload = dump_result(each(check_result, result))
            return result, payload
        result, payload = await in_one_thread(work)
        # reply
        if payload is None:
            await respond_open(result, scope, receive, send)
            sent = True
        else:
            sent = True
            length = (b"content-length", b"%d" % len(payload))
            await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
            await send({"type": "http.response.body", "body": payload})
        await leave(exits)
    except BaseException as exc:
        return await fail_open(exits, exc, sent, scope, receive, send, body=raw)
