"""The same work, once per candidate. Each module has `build(work_name)`, which gives an ASGI application."""
