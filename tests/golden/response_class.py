# <slipstream GET / -> golden_response_class.read_root, asgi>

async def handle(scope, receive, send):
    try:
        # endpoint read_root (response_class.py:9)
        result = await read_root()
        result = to_response(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False)
    # reply
    await respond(result, scope, receive, send, fail)
