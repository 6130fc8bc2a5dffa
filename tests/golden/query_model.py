# <slipstream GET /items -> golden_query_model.list_items, asgi>

async def handle(scope, receive, send):
    try:
        # query paging: Paging (query_model.py:17)
        query_lists = QueryParams(scope["query_string"])
        paging, wrong = take_paging(query_lists)
        if wrong:
            raise request_error(wrong, None, scope)
        # endpoint list_items (query_model.py:17)
        result = await list_items(paging)
        payload = None if isinstance(result, Response) else encode(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    if payload is None:
        await respond(result, scope, receive, send, fail)
    else:
        length = (b"content-length", b"%d" % len(payload))
        await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
        await send({"type": "http.response.body", "body": payload})
