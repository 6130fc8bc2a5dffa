"""A dependency that holds a task group open while it is used."""

from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from anyio.abc import TaskGroup

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


async def workers() -> AsyncIterator[TaskGroup]:
    async with anyio.create_task_group() as group:
        yield group


@app.get("/rows")
async def list_rows(group: Annotated[TaskGroup, Depends(workers)]) -> list[int]:
    return []
