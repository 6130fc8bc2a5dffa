# <slipstream GET /items -> golden_query_list.list_items, asgi>

async def handle(scope, receive, send):
    try:
        # query tags: list[str] = [] (query_list.py:10)
        query_lists = QueryParams(scope["query_string"])
        tags, wrong = take_tags(query_lists)
        if wrong:
            raise request_error(wrong, None, scope)
        # query item_query: str | None = None (query_list.py:10)
        query = read_query(scope["query_string"])
        item_query = query.get("item-query")
        # endpoint list_items (query_list.py:10)
        result = await list_items(tags, item_query)
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
