"""Put it together: `slipstream run examples/tour/main.py`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

from slipstream import FastAPI, Request, Response
from slipstream.responses import HTMLResponse
from slipstream.staticfiles import StaticFiles
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import joinedload

from tour.database import open_database
from tour.dependencies import SessionDep
from tour.models import Base, Item
from tour.pages import HERE, render
from tour.rooms import Rooms
from tour.routers import chat, files, items, links, live, users
from tour.schemas import Health
from tour.settings import get_settings


class State(TypedDict):
    """What start-up leaves for the requests, as `request.state`."""

    sessions: async_sessionmaker[AsyncSession]
    rooms: Rooms
    viewers: live.Viewers


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    settings = get_settings()
    settings.make_folders()
    engine = open_database(settings.database)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with links.station.running():
        yield {
            "sessions": async_sessionmaker(engine, expire_on_commit=False),
            "rooms": Rooms(),
            "viewers": live.Viewers(),
        }
    await engine.dispose()


app = FastAPI(
    title="A tour of Slipstream",
    description="Items, users, files, a chat, a counter and a link that is dialled: each part is real.",
    lifespan=lifespan,
    max_body_size=1024 * 1024,
)
app.include_router(users.router)
app.include_router(items.router)
app.include_router(files.router)
app.include_router(chat.router)
app.include_router(live.router)
app.include_router(links.router)
links.links.attach(app)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


@app.middleware("http")
async def forbid_sniffing(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
async def index(request: Request, session: SessionDep) -> HTMLResponse:
    newest = select(Item).where(Item.is_public).options(joinedload(Item.owner)).order_by(Item.id.desc()).limit(5)
    return render(request, "index.html", newest=(await session.scalars(newest)).all())


@app.get("/health", tags=["health"])
async def health(session: SessionDep) -> Health:
    """Answer 200 if the database does."""
    await session.execute(text("SELECT 1"))
    return Health()
