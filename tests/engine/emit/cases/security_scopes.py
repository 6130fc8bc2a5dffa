"""A dependency that is told which OAuth2 scopes were asked for on the way to it."""

from typing import Annotated

from slipstream import FastAPI, Request, Security
from slipstream.security import OAuth2PasswordBearer, SecurityScopes


class Bearer(OAuth2PasswordBearer):
    async def __call__(self, request: Request) -> str | None:
        return await super().__call__(request)


app = FastAPI(openapi_url=None)
bearer = Bearer(tokenUrl="token", scopes={"me": "Read", "items": "Write"})


async def current_user(scopes: SecurityScopes, token: Annotated[str, Security(bearer)]) -> str:
    return token + scopes.scope_str


@app.get("/me/items")
async def read_own_items(user: Annotated[str, Security(current_user, scopes=["me", "items"])]):
    return user
