# <slipstream POST /items -> golden_body_with_dependencies.create_item, asgi>

async def handle(scope, receive, send):
    errors = []
    raw = None
    try:
        # body, as JSON (body_with_dependencies.py:20)
        raw = await read_body(receive)
        content_type = find_header(scope, b"content-type")
        try:
            item = parse_item(raw) if content_type == b"application/json" or is_json(content_type, True) else UNSET
        except ValidationError:
            item = UNSET  # told in full below
        if item is UNSET:
            body = decode_body(raw, content_type, scope)
        # header x_token: str (body_with_dependencies.py:16)
        x_token = find_header(scope, b"x-token")
        if x_token is None:
            errors += [missing(("header", "x-token"))]
        else:
            x_token = x_token.decode("latin-1")
        # dependency current_user (body_with_dependencies.py:16)
        if not errors:
            user = await current_user(x_token)
        # body item: Item (body_with_dependencies.py:20)
        if item is UNSET:
            item, wrong = take_item(body)
            errors += wrong
        if errors:
            raise request_error(errors, decode_body(raw, content_type, scope), scope)
        # endpoint create_item (body_with_dependencies.py:20)
        result = await create_item(item, user)
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
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
