"""A blocking dependency that is open until the response is sent, under a sync endpoint."""

from collections.abc import Iterator
from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


def connection() -> Iterator[str]:
    yield "open"


@app.get("/rows")
def list_rows(connection: Annotated[str, Depends(connection)]):
    return [connection]
