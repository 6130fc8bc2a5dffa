# <slipstream GET /me -> golden_shared_dependency.read_me, asgi>

async def handle(scope, receive, send):
    errors = []
    try:
        # dependency audit (shared_dependency.py:10)
        await audit()
        # header x_tenant: str (shared_dependency.py:14)
        x_tenant = find_header(scope, b"x-tenant")
        if x_tenant is None:
            errors += [missing(("header", "x-tenant"))]
        else:
            x_tenant = x_tenant.decode("latin-1")
        # dependency settings (shared_dependency.py:14)
        if not errors:
            settings = await call_settings(x_tenant)
        settings_errors = errors[:] if errors else ()
        # dependency connection (shared_dependency.py:18)
        if not errors:
            connection = await call_connection(settings)
        errors += settings_errors
        # dependency user (shared_dependency.py:22)
        if not errors:
            user = await call_user(connection, settings)
        errors += settings_errors
        if errors:
            raise request_error(errors, None, scope)
        # endpoint read_me (shared_dependency.py:26)
        result = await read_me(user, settings)
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
