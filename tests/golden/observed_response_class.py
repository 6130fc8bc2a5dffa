# <slipstream GET /hello -> golden_observed_response_class.hello, asgi, observed>

async def handle(scope, receive, send):
    request = Request(scope, receive, send)
    observed = scope["fastapi.telemetry"]
    observed.enter(request, "golden_observed_response_class.hello")
    try:
        with observed.operation("fastapi.dependencies"):
            # query observed: str = "nobody" (observed_response_class.py:9)
            query = read_query(scope["query_string"])
            observed_2 = query.get("observed", "nobody")
            observed.solved(dict(observed=observed_2))
        # endpoint hello (observed_response_class.py:9)
        with observed.operation("fastapi.endpoint"):
            result = await in_thread(hello, observed_2)
        if isinstance(result, Response):
            result = to_response(result)
        else:
            with observed.operation("fastapi.serialization"):
                result = to_response(result)
    except Exception as exc:
        return await fail(exc, scope, receive, send, started=False, connection=request)
    # reply
    await respond(result, scope, receive, send, fail)
