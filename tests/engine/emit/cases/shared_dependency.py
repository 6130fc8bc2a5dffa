"""Dependencies on two levels, one of them shared, one without a receiver, one an object of a class."""

from typing import Annotated

from slipstream import Depends, FastAPI, Header

app = FastAPI(openapi_url=None)


class Audit:
    async def __call__(self) -> None: ...


async def settings(x_tenant: Annotated[str, Header()]) -> str:
    return x_tenant


async def connection(settings: Annotated[str, Depends(settings)]) -> str:
    return settings


async def user(connection: Annotated[str, Depends(connection)], settings: Annotated[str, Depends(settings)]) -> str:
    return connection + settings


@app.get("/me", dependencies=[Depends(Audit())])
async def read_me(user: Annotated[str, Depends(user)], settings: Annotated[str, Depends(settings)]):
    return user
