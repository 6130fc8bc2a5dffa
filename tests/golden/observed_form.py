# <slipstream POST /login -> golden_observed_form.login, asgi, observed>

async def handle(scope, receive, send):
    errors = []
    exits = []
    request = Request(scope, receive, send)
    observed = scope["fastapi.telemetry"]
    observed.enter(request, "golden_observed_form.login")
    sent = False
    try:
        # body, as a form (observed_form.py:10)
        form = await read_form(request)
        exits.append(FormExit(form))
        observed.read(form)
        with observed.operation("fastapi.dependencies"):
            # form name: str, age: int (observed_form.py:10)
            (name, age), wrong = await take_form(form)
            errors += wrong
            if errors:
                observed.invalid(errors, known_values(locals(), errors))
                raise request_error(errors, form, scope)
            observed.solved(dict(name=name, age=age))
        # endpoint login (observed_form.py:10)
        with observed.operation("fastapi.endpoint"):
            result = await login(name, age)
        if isinstance(result, Response):
            payload = None
        else:
            with observed.operation("fastapi.serialization"):
                payload = dump_result(check_result(result))
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
        return await fail_open(exits, exc, sent, scope, receive, send, connection=request)
