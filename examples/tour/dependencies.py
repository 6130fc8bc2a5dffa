"""What endpoints ask for by type: settings, a database session, the user who calls."""

from collections.abc import AsyncIterator
from typing import Annotated

from slipstream import Depends, HTTPException, status
from slipstream.requests import HTTPConnection
from slipstream.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from tour.models import User
from tour.rooms import Rooms
from tour.security import read_token
from tour.settings import Settings, get_settings

SettingsDep = Annotated[Settings, Depends(get_settings)]


async def get_session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """One session a request. Endpoints commit; whatever they leave open is rolled back."""
    sessions: async_sessionmaker[AsyncSession] = connection.state.sessions
    async with sessions() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


def get_rooms(connection: HTTPConnection) -> Rooms:
    rooms: Rooms = connection.state.rooms
    return rooms


RoomsDep = Annotated[Rooms, Depends(get_rooms)]


def unauthorized(detail: str) -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})


bearer_token = OAuth2PasswordBearer(tokenUrl="users/token", auto_error=False)


async def get_user_or_none(
    token: Annotated[str | None, Depends(bearer_token)], session: SessionDep, settings: SettingsDep
) -> User | None:
    """Nobody without a token; a bad token is an error, also where none is needed."""
    if token is None:
        return None
    user_id = read_token(token, settings.signing_key)
    user = await session.get(User, user_id) if user_id is not None else None
    if user is None:
        raise unauthorized("The token is invalid or has expired")
    return user


OptionalUser = Annotated[User | None, Depends(get_user_or_none)]


async def get_user(user: OptionalUser) -> User:
    if user is None:
        raise unauthorized("Not authenticated")
    return user


CurrentUser = Annotated[User, Depends(get_user)]
