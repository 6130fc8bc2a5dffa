"""The application's entrance: what a request passes between the server's call and the handler of a route.

The table of the routes, the layers around it, what answers exceptions, what records telemetry, and how all of them
notice that something has changed. A route is whatever offers a pattern or `matches`: `_routes` is one floor above.
"""
