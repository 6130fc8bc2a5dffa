# <slipstream GET /items -> golden_stream_jsonl.stream_items, asgi>

async def handle(scope, receive, send):
    try:
        # query prefix: str = "" (stream_jsonl.py:16)
        query = read_query(scope["query_string"])
        prefix = query.get("prefix", "")
        # endpoint stream_items (stream_jsonl.py:16)
        result = stream(stream_items(prefix))
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    await respond(result, scope, receive, send, fail)
