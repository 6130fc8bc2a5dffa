# <slipstream PUT /items/{item_id} -> golden_observed_model_and_dependency.update_item, asgi, observed>

async def handle(scope, receive, send):
    errors = []
    exits = []
    request = Request(scope, receive, send)
    observed = scope["fastapi.telemetry"]
    observed.enter(request, "golden_observed_model_and_dependency.update_item")
    sent = False
    try:
        background = background_tasks()
        # body, as JSON (observed_model_and_dependency.py:20)
        raw = await read_request_body(request)
        content_type = find_header(scope, b"content-type")
        body = decode_body(raw, content_type, scope)
        observed.read(body if body is not UNSET else None)
        with observed.operation("fastapi.dependencies"):
            # dependency session (observed_model_and_dependency.py:16)
            opened = call_session()
            try:
                session = await opened.__anext__()
            except StopAsyncIteration:
                raise not_yielded(opened) from None
            exits.append(opened)
            # path item_id: int (observed_model_and_dependency.py:20)
            path_params = scope["path_params"]
            try:
                item_id = check_item_id(path_params["item_id"])
            except ValidationError as wrong:
                errors += located(wrong, ("path", "item_id"))
            # body item: Item (observed_model_and_dependency.py:20)
            item, wrong = take_item(body)
            errors += wrong
            if errors:
                observed.invalid(errors, known_values(locals(), errors))
                raise request_error(errors, body, scope)
            observed.solved(dict(item_id=item_id, item=item, session=session, tasks=background))
        # endpoint update_item (observed_model_and_dependency.py:20)
        with observed.operation("fastapi.endpoint"):
            result = await update_item(item_id, item, session, background)
        if isinstance(result, Response):
            payload = None
        else:
            with observed.operation("fastapi.serialization"):
                payload = dump_result(check_result(result))
        # reply
        if payload is None:
            await respond_open(result, scope, receive, send, background)
            sent = True
        else:
            sent = True
            length = (b"content-length", b"%d" % len(payload))
            await send({"type": "http.response.start", "status": 200, "headers": [length, JSON_TYPE]})
            await send({"type": "http.response.body", "body": payload})
            await background()
        ran = len(background.tasks)
        # close session
        async for _ in exits.pop():
            raise not_stopped()
        await run_later(background, ran)
    except BaseException as exc:
        return await fail_open(exits, exc, sent, scope, receive, send, connection=request)
