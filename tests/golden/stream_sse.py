# <slipstream GET /events -> golden_stream_sse.stream_events, asgi>

async def handle(scope, receive, send):
    exits = []
    sent = False
    try:
        # dependency channel (stream_sse.py:12)
        opened = call_channel()
        try:
            channel = await opened.__anext__()
        except StopAsyncIteration:
            raise not_yielded(opened) from None
        exits.append(opened)
        # endpoint stream_events (stream_sse.py:16)
        result = stream(stream_events(channel))
        # reply
        await respond_open(result, scope, receive, send)
        sent = True
        # close channel
        async for _ in exits.pop():
            raise not_stopped()
    except BaseException as exc:
        return await fail_open(exits, exc, sent, scope, receive, send)
