# <slipstream POST /rows -> golden_function_scope.add_row, asgi>

async def handle(scope, receive, send):
    exits = []
    closing = []
    sent = False
    try:
        try:
            # dependency connection (function_scope.py:11)
            opened = call_connection()
            try:
                connection = await opened.__anext__()
            except StopAsyncIteration:
                raise not_yielded(opened) from None
            exits.append(opened)
            # dependency transaction (function_scope.py:15)
            opened = call_transaction(connection)
            try:
                transaction = await opened.__anext__()
            except StopAsyncIteration:
                raise not_yielded(opened) from None
            closing.append(opened)
            # endpoint add_row (function_scope.py:19)
            result = await add_row(transaction)
            payload = None if isinstance(result, Response) else encode(result)
            # close transaction
            async for _ in closing.pop():
                raise not_stopped()
        except BaseException as exc:
            raise await fail_closing(closing, exc, scope)
        # reply
        if payload is None:
            await respond_open(result, scope, receive, send)
            sent = True
        else:
            sent = True
            length = (b"content-length", b"%d" % len(payload))
            await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
            await send({"type": "http.response.body", "body": payload})
        # close connection
        async for _ in exits.pop():
            raise not_stopped()
    except BaseException as exc:
        return await fail_open(exits, exc, sent, scope, receive, send)
