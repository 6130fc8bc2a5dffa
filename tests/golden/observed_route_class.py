# <slipstream GET /items/{item_id} -> golden_observed_route_class.read_item, request, observed>

async def handle(request):
    scope = request.scope
    errors = []
    observed = scope["fastapi.telemetry"]
    observed.enter(request, "golden_observed_route_class.read_item")
    with observed.operation("fastapi.dependencies"):
        # path item_id: int (observed_route_class.py:20)
        path_params = scope["path_params"]
        try:
            item_id = check_item_id(path_params["item_id"])
        except ValidationError as wrong:
            errors += located(wrong, ("path", "item_id"))
        if errors:
            observed.invalid(errors, known_values(locals(), errors))
            raise request_error(errors, None, scope)
        observed.solved(dict(item_id=item_id))
    # endpoint read_item (observed_route_class.py:20)
    with observed.operation("fastapi.endpoint"):
        result = await read_item(item_id)
    if isinstance(result, Response):
        result = to_response(result)
    else:
        with observed.operation("fastapi.serialization"):
            result = to_response(result)
    return result
