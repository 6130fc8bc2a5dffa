"""An endpoint that makes its response itself, from the request itself."""

from slipstream import FastAPI, Request
from slipstream.responses import PlainTextResponse, Response

app = FastAPI(openapi_url=None)


@app.get("/whoami")
async def who_am_i(request: Request) -> Response:
    return PlainTextResponse(request.headers.get("user-agent", "?"))
