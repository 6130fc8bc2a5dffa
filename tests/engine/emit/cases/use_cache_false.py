"""A dependency that is called anew at each place."""

from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


async def draw() -> int:
    return 4


@app.get("/dice")
async def roll(first: Annotated[int, Depends(draw)], second: Annotated[int, Depends(draw, use_cache=False)]):
    return first + second
