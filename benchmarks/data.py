"""Models and values that every candidate serves; the same objects for all."""

from pydantic import BaseModel


class Item(BaseModel):
    """A thing in a shop; about 250 bytes of JSON."""

    sku: str
    name: str
    description: str | None = None
    price: float
    tax: float | None = None
    stock: int = 0
    is_offer: bool = False
    tags: list[str] = []


ONE = Item(
    sku="LMP-2041-BR",
    name="Reading lamp, brass",
    description="Adjustable arm, dimmable, warm white; the cord is two metres long and covered in cloth.",
    price=129.5,
    tax=20.72,
    stock=17,
    is_offer=True,
    tags=["light", "brass", "desk", "living room"],
)
MANY = [ONE.model_copy(update={"sku": f"LMP-{n:04}-BR", "stock": n}) for n in range(100)]
ROUTES = 500
