from collections.abc import AsyncIterator
from typing import Annotated

from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel

from slipstream import BackgroundTasks, Depends, FastAPI

app = FastAPI(telemetry={"tracer_provider": TracerProvider(shutdown_on_exit=False)})


class Item(BaseModel):
    name: str


async def session() -> AsyncIterator[str]:
    yield "session"


@app.put("/items/{item_id}")
async def update_item(
    item_id: int, item: Item, session: Annotated[str, Depends(session)], tasks: BackgroundTasks
) -> Item:
    return item
