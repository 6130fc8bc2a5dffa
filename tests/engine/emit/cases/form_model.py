"""A form that is one model."""

from typing import Annotated

from pydantic import BaseModel

from slipstream import FastAPI, Form

app = FastAPI(openapi_url=None)


class Credentials(BaseModel):
    username: str
    password: str


@app.post("/login")
async def log_in(credentials: Annotated[Credentials, Form()]):
    return credentials.username
