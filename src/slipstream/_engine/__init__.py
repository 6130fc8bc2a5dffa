"""The compiler: a typed function and its options in, a flat ASGI handler out.

Knows ASGI scopes, Python types and Pydantic. Knows no name of FastAPI's, no server, no client.
`compile.py` walks the whole registration trip; `entry/` is where a request comes in.
"""
