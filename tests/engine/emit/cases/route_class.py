"""A route class that puts a function of a Request around the compiled one."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from pydantic import BaseModel

from slipstream import APIRouter, Depends, FastAPI
from slipstream.routing import APIRoute


class Timed(APIRoute):
    def get_route_handler(self) -> Callable[..., Any]:
        return super().get_route_handler()


class Item(BaseModel):
    name: str


async def connection() -> AsyncIterator[str]:
    yield "open"


router = APIRouter(route_class=Timed)


@router.post("/items")
async def create_item(item: Item, connection: Annotated[str, Depends(connection)]) -> Item:
    return item


app = FastAPI(openapi_url=None)
app.include_router(router)
