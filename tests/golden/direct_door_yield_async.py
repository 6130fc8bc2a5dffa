# <slipstream GET /rows -> golden_direct_door_yield_async.list_rows, direct>

async def handle(scope, receive, send, raw, reply):
    exits = []
    sent = False
    try:
        # dependency connection (direct_door_yield_async.py:11)
        opened = call_connection()
        try:
            connection = await opened.__anext__()
        except StopAsyncIteration:
            raise not_yielded(opened) from None
        exits.append(opened)
        # endpoint list_rows (direct_door_yield_async.py:15)
        result = await list_rows(connection)
        payload = None if isinstance(result, Response) else encode(result)
        # reply
        if payload is None:
            if not reply_whole(result, reply):
                complete_scope(scope)
                await respond_open(result, scope, receive, send)
            sent = True
        else:
            sent = True
            reply(200, JSON_HEADERS, payload)
        # close connection
        async for _ in exits.pop():
            raise not_stopped()
    except BaseException as exc:
        complete_scope(scope)
        return await fail_open(exits, exc, sent, scope, receive, send, reply=reply)
