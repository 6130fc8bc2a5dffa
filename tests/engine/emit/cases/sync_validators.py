"""A sync endpoint with a user's own validators: those of parameters and the serializers stay in the event loop."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, field_serializer

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


class Item(BaseModel):
    name: str

    @field_serializer("name")
    def shout(self, name: str) -> str:
        return name.upper()


def even(number: int) -> int:
    assert number % 2 == 0
    return number


def settings() -> str:
    return "settings"


def connection() -> str:
    return "connection"


@app.get("/items/{item_id}", response_model=Item)
def read_item(
    item_id: Annotated[int, AfterValidator(even)],
    settings: Annotated[str, Depends(settings)],
    connection: Annotated[str, Depends(connection)],
) -> Any:
    return {"name": "lamp"}
