# <slipstream POST /timers -> golden_json_parsed_first.start_timer, asgi>

async def handle(scope, receive, send):
    raw = None
    try:
        # body, as JSON (json_parsed_first.py:16)
        raw = await read_body(receive)
        content_type = find_header(scope, b"content-type")
        body = decode_body(raw, content_type, scope)
        # body timer: golden_json_parsed_first.Timer | None = None (json_parsed_first.py:16)
        timer, wrong = take_timer(body)
        if wrong:
            raise request_error(wrong, body, scope)
        # endpoint start_timer (json_parsed_first.py:16)
        result = await start_timer(timer)
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
