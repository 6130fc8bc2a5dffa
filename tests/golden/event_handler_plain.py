# <slipstream EVENT prices -> golden_event_handler_plain.handle, event>

async def handle(connection, event, scope_of):
    # dependency settings (event_handler_plain.py:9)
    settings = await call_settings()
    # endpoint handle (event_handler_plain.py:13)
    result = await call_handle(connection, event, settings)
    return result
