"""A dependency that the application replaces by another, with parameters of its own."""

from typing import Annotated

from slipstream import Depends, FastAPI

app = FastAPI(openapi_url=None)


async def current_user(token: str) -> str:
    return token


async def fake_user(name: str = "Alice") -> str:
    return name


@app.get("/me")
async def read_me(user: Annotated[str, Depends(current_user)]):
    return user


app.dependency_overrides[current_user] = fake_user
