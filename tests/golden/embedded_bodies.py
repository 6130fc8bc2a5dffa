# <slipstream POST /offers -> golden_embedded_bodies.make_offer, asgi>

async def handle(scope, receive, send):
    errors = []
    raw = None
    try:
        # body, as JSON (embedded_bodies.py:20)
        raw = await read_body(receive)
        content_type = find_header(scope, b"content-type")
        body = decode_body(raw, content_type, scope)
        # body item: Item (embedded_bodies.py:20)
        item, wrong = take_item(body)
        errors += wrong
        # body user: User (embedded_bodies.py:20)
        user, wrong = take_user(body)
        errors += wrong
        # body urgency: int = 1 (embedded_bodies.py:20)
        urgency, wrong = take_urgency(body)
        errors += wrong
        if errors:
            raise request_error(errors, body, scope)
        # endpoint make_offer (embedded_bodies.py:20)
        result = await make_offer(item, user, urgency)
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
