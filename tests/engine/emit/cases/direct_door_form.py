"""Fields of a form."""

from typing import Annotated

from slipstream import FastAPI, Form

app = FastAPI(openapi_url=None)


@app.post("/login")
async def log_in(username: Annotated[str, Form()], password: Annotated[str, Form()], remember: bool = False):
    return username
