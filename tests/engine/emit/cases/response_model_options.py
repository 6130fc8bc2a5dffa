"""Options of a response model go straight to Pydantic's writer."""

from pydantic import BaseModel

from slipstream import FastAPI

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str
    price: float | None = None
    secret: str = ""


@app.get(
    "/items",
    response_model=list[Item],
    response_model_exclude_unset=True,
    response_model_exclude={"secret"},
    response_model_by_alias=False,
)
async def list_items():
    return [{"name": "Foo"}]
