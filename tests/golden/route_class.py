# <slipstream POST /items -> golden_route_class.create_item, request>

async def handle(request):
    scope = request.scope
    exits = scope["slipstream.exits"]
    # body, as JSON (route_class.py:28)
    raw = await read_request_body(request)
    content_type = find_header(scope, b"content-type")
    try:
        item = parse_item(raw) if content_type == b"application/json" or is_json(content_type, True) else UNSET
    except ValidationError:
        item = UNSET  # told in full below
    if item is UNSET:
        body = decode_body(raw, content_type, scope)
    # dependency connection (route_class.py:21)
    opened = call_connection()
    try:
        connection = await opened.__anext__()
    except StopAsyncIteration:
        raise not_yielded(opened) from None
    exits.append(opened)
    # body item: Item (route_class.py:28)
    if item is UNSET:
        item, wrong = take_item(body)
        if wrong:
            raise request_error(wrong, body, scope)
    # endpoint create_item (route_class.py:28)
    result = await create_item(item, connection)
    result = to_response(result)
    return result
