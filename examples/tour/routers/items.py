"""Items: everyone sees public ones, their owner sees and changes all of theirs."""

from typing import Annotated, Any

from slipstream import APIRouter, Depends, HTTPException, Path, Query, Response, status
from sqlalchemy import ColumnElement, func, or_, select

from tour.dependencies import CurrentUser, OptionalUser, SessionDep, unauthorized
from tour.models import Item
from tour.schemas import BIGGEST_ID, ItemIn, ItemOut, ItemPatch, ItemQuery, Page

router = APIRouter(prefix="/items", tags=["items"])

ORDERS: dict[str, ColumnElement[Any]] = {
    "newest": Item.id.desc(),
    "oldest": Item.id.asc(),
    "name": Item.name.asc(),
    "price": Item.price_cents.asc(),
}


async def get_visible_item(
    item_id: Annotated[int, Path(ge=1, le=BIGGEST_ID)], user: OptionalUser, session: SessionDep
) -> Item:
    """Find the item; one that the caller may not see does not exist for them."""
    item = await session.get(Item, item_id)
    if item is None or not (item.is_public or (user and item.owner_id == user.id)):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No such item")
    return item


VisibleItem = Annotated[Item, Depends(get_visible_item)]


async def get_own_item(item: VisibleItem, user: CurrentUser) -> Item:
    if item.owner_id != user.id:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Only its owner may change an item")
    return item


OwnItem = Annotated[Item, Depends(get_own_item)]


@router.post("", status_code=status.HTTP_201_CREATED, response_model=ItemOut)
async def create_item(new: ItemIn, user: CurrentUser, session: SessionDep, response: Response) -> Item:
    item = Item(**new.model_dump(), owner_id=user.id)
    session.add(item)
    await session.commit()
    response.headers["Location"] = router.url_path_for("read_item", item_id=item.id)
    return item


@router.get("")
async def list_items(query: Annotated[ItemQuery, Query()], user: OptionalUser, session: SessionDep) -> Page[ItemOut]:
    if query.mine and user is None:
        raise unauthorized("Log in to see your own items")
    mine = Item.owner_id == (user.id if user else None)
    found = select(Item).where(mine if query.mine else or_(Item.is_public, mine))
    if query.q:
        found = found.where(Item.name.icontains(query.q, autoescape=True))
    if query.min_price is not None:
        found = found.where(Item.price_cents >= query.min_price)
    if query.max_price is not None:
        found = found.where(Item.price_cents <= query.max_price)

    total = await session.scalar(select(func.count()).select_from(found.subquery()))
    page = found.order_by(ORDERS[query.sort], Item.id).limit(query.limit).offset(query.offset)
    return Page(
        items=[ItemOut.model_validate(item) for item in await session.scalars(page)],
        total=total or 0,
        limit=query.limit,
        offset=query.offset,
    )


@router.get("/{item_id}", response_model=ItemOut)
async def read_item(item: VisibleItem) -> Item:
    return item


@router.patch("/{item_id}", response_model=ItemOut)
async def update_item(patch: ItemPatch, item: OwnItem, session: SessionDep) -> Item:
    """Change what is sent, keep the rest."""
    for name, value in patch.model_dump(exclude_unset=True).items():
        setattr(item, name, value)
    await session.commit()
    return item


@router.delete("/{item_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_item(item: OwnItem, session: SessionDep) -> None:
    await session.delete(item)
    await session.commit()
