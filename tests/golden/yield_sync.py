# <slipstream GET /rows -> golden_yield_sync.list_rows, asgi>

async def handle(scope, receive, send):
    exits = []
    sent = False
    try:
        def work(each):
            # dependency connection (yield_sync.py:11)
            opened = ThreadGenerator(call_connection())
            connection = each(opened.enter)
            exits.append(opened)
            # endpoint list_rows (yield_sync.py:15)
            result = each(list_rows, connection)
            return result
        result = await in_one_thread(work)
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
