# <slipstream GET /{errors} -> golden_taken_names.query, asgi>

async def handle(scope, receive, send):
    try:
        # query scope: str = "all" (taken_names.py:10)
        query = read_query(scope["query_string"])
        scope_2 = query.get("scope", "all")
        # query list: str = "none" (taken_names.py:10)
        list_2 = query.get("list", "none")
        # dependency send (taken_names.py:10)
        result_2 = await call_send(scope_2, list_2)
        # path errors: int (taken_names.py:14)
        path_params = scope["path_params"]
        try:
            errors_2 = check_errors(path_params["errors"])
        except ValidationError as wrong:
            raise request_error(located(wrong, ("path", "errors")), None, scope)
        # query payload: str | None = None (taken_names.py:14)
        payload_2 = query.get("payload")
        # endpoint query (taken_names.py:14)
        result = await call_query(errors_2, result_2, payload_2)
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
