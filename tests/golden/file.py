# <slipstream POST /photos -> golden_file.upload_photo, asgi>

async def handle(scope, receive, send):
    exits = []
    request = Request(scope, receive, send)
    sent = False
    try:
        # body, as a form (file.py:8)
        form = await read_form(request)
        exits.append(FormExit(form))
        # form photo: UploadFile (file.py:8)
        (photo,), wrong = await take_form(form)
        if wrong:
            raise request_error(wrong, form, scope)
        # endpoint upload_photo (file.py:8)
        result = await upload_photo(photo)
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
        return await fail_open(exits, exc, sent, scope, receive, send, connection=request)
