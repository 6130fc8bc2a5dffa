"""Between the server's call and the handler of a route: table, layers, exception handlers, telemetry.

`_routes` is one floor above: a route is any object with a pattern or `matches`.
"""
