# <slipstream EVENT prices -> golden_event_handler.handle, event>

async def handle(connection, event, scope_of):
    exits = []
    scope = scope_of(connection)
    try:
        # dependency session (event_handler.py:11)
        opened = session(connection)
        try:
            s = await opened.__anext__()
        except StopAsyncIteration:
            raise not_yielded(opened) from None
        exits.append(opened)
        # header x_tenant: str (event_handler.py:15)
        x_tenant = find_header(scope, b"x-tenant")
        if x_tenant is None:
            raise request_error([missing(("header", "x-tenant"))], None, None)
        else:
            x_tenant = x_tenant.decode("latin-1")
        # dependency tenant (event_handler.py:15)
        t = await tenant(x_tenant)
        # endpoint handle (event_handler.py:19)
        result = await in_thread(call_handle, event, s, t)
        if isawaitable(result):
            result = await result
        # close session
        async for _ in exits.pop():
            raise not_stopped()
    except BaseException as exc:
        raise await fail_closing(exits, exc)
    return result
