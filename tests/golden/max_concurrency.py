# <slipstream GET /rows -> golden_max_concurrency.list_rows, asgi>

async def handle(scope, receive, send):
    errors = []
    exits = []
    sent = False
    try:
        # query key: str (max_concurrency.py:11)
        query = read_query(scope["query_string"])
        key = query.get("key")
        if key is None:
            errors += [missing(("query", "key"))]
        # dependency lookup (max_concurrency.py:11)
        if not errors:
            async with limit_lookup.get_semaphore():
                found = await lookup(key)
        # dependency connection (max_concurrency.py:15)
        place = limit_connection.get_semaphore()
        await place.acquire()
        exits.append(SlotExit(place))
        opened = call_connection()
        try:
            connection = await opened.__anext__()
        except StopAsyncIteration:
            raise not_yielded(opened) from None
        exits.append(opened)
        if errors:
            raise request_error(errors, None, scope)
        # endpoint list_rows (max_concurrency.py:19)
        result = await list_rows(found, connection)
        payload = None if isinstance(result, Response) else encode(result)
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
        return await fail_open(exits, exc, sent, scope, receive, send)
