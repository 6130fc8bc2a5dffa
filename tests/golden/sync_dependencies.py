# <slipstream GET /items -> golden_sync_dependencies.list_items, asgi>

async def handle(scope, receive, send):
    try:
        query = read_query(scope["query_string"])
        def work(each):
            # dependency settings (sync_dependencies.py:10)
            settings = each(call_settings)
            # query pool: str = "main" (sync_dependencies.py:14)
            pool = query.get("pool", "main")
            # dependency connection (sync_dependencies.py:14)
            connection = each(call_connection, settings, pool)
            # dependency user (sync_dependencies.py:18)
            user = each(call_user, connection)
            return settings, user
        settings, user = await in_one_thread(work)
        # query q: str = "" (sync_dependencies.py:22)
        q = query.get("q", "")
        # endpoint list_items (sync_dependencies.py:22)
        result = await list_items(user, settings, q)
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
