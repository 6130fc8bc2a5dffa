"""Sign up, log in, and who am I."""

from datetime import timedelta
from typing import Annotated

from slipstream import APIRouter, Depends, HTTPException, Response, status
from slipstream.security import OAuth2PasswordRequestForm
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tour.dependencies import CurrentUser, SessionDep, SettingsDep, unauthorized
from tour.models import User
from tour.schemas import SignUp, Token, UserOut
from tour.security import create_token, hash_password, verify_password

router = APIRouter(prefix="/users", tags=["users"])


@router.post("", status_code=status.HTTP_201_CREATED, responses={409: {"description": "Already taken"}})
async def sign_up(new: SignUp, session: SessionDep) -> UserOut:
    user = User(
        username=new.username,
        email=new.email,
        password_hash=await hash_password(new.password.get_secret_value()),
    )
    session.add(user)
    try:
        await session.commit()  # the table decides: two sign-ups at once cannot both win
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "This user name or email address is already taken") from error
    return UserOut.model_validate(user)


@router.post("/token", responses={401: {"description": "Wrong user name or password"}})
async def log_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> Token:
    user = await session.scalar(select(User).where(User.username == form.username))
    if not await verify_password(form.password, user.password_hash if user else None) or not user:
        raise unauthorized("Wrong user name or password")
    response.headers["Cache-Control"] = "no-store"
    lifetime = timedelta(minutes=settings.token_minutes)
    return Token(
        access_token=create_token(user.id, settings.signing_key, lifetime),
        expires_in=int(lifetime.total_seconds()),
    )


@router.get("/me", response_model=UserOut)
async def read_me(user: CurrentUser) -> User:
    return user
