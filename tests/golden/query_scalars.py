# <slipstream GET /items -> golden_query_scalars.list_items, asgi>

async def handle(scope, receive, send):
    errors = []
    try:
        # query owner: str (query_scalars.py:16)
        query = read_query(scope["query_string"])
        owner = query.get("owner")
        if owner is None:
            errors += [missing(("query", "owner"))]
        # query limit: int = 10 (query_scalars.py:16)
        given = query.get("limit")
        if given is None:
            limit = 10
        else:
            try:
                limit = check_limit(given)
            except ValidationError as wrong:
                errors += located(wrong, ("query", "limit"))
        # query after: str | None = None (query_scalars.py:16)
        after = query.get("after")
        # query order: Order = Order.NEWEST (query_scalars.py:16)
        given = query.get("order")
        if given is None:
            order = default_order
        else:
            try:
                order = check_order(given)
            except ValidationError as wrong:
                errors += located(wrong, ("query", "order"))
        # query color: str = "any" (query_scalars.py:16)
        color = query.get("color", "any")
        # query price: float | None = None (query_scalars.py:16)
        given = query.get("price")
        if given is None:
            price = None
        else:
            try:
                price = check_price(given)
            except ValidationError as wrong:
                errors += located(wrong, ("query", "price"))
        if errors:
            raise request_error(errors, None, scope)
        # endpoint list_items (query_scalars.py:16)
        result = await list_items(owner, limit, after, order, color, price)
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
