# <slipstream POST /login -> golden_direct_door_form.log_in, direct>

async def handle(scope, receive, send, raw, reply):
    errors = []
    exits = []
    request = Request(scope, receive, send)
    sent = False
    try:
        # body, as a form (direct_door_form.py:10)
        form = await read_form(request)
        exits.append(FormExit(form))
        # query remember: bool = False (direct_door_form.py:10)
        query = read_query(scope["query_string"])
        given = query.get("remember")
        if given is None:
            remember = False
        else:
            try:
                remember = check_remember(given)
            except ValidationError as wrong:
                errors += located(wrong, ("query", "remember"))
        # form username: str, password: str (direct_door_form.py:10)
        (username, password), wrong = await take_form(form)
        errors += wrong
        if errors:
            raise request_error(errors, form, scope)
        # endpoint log_in (direct_door_form.py:10)
        result = await log_in(username, password, remember)
        payload = None if isinstance(result, Response) else encode(result)
        # reply
        if payload is None:
            if not reply_whole(result, reply):
                await respond_open(result, scope, receive, send)
            sent = True
        else:
            sent = True
            reply(200, JSON_HEADERS, payload)
        await leave(exits)
    except BaseException as exc:
        return await fail_open(exits, exc, sent, scope, receive, send, connection=request, reply=reply)
