"""A response class that the user chose."""

from slipstream import FastAPI
from slipstream.responses import HTMLResponse

app = FastAPI(openapi_url=None)


@app.get("/", response_class=HTMLResponse)
async def read_root():
    return "<h1>Hello</h1>"
