"""What type checkers make of a program for FastAPI in an environment in which the alias is on."""

from collections.abc import Callable
from pathlib import Path

from tests.compat.environments import Environment

Write = Callable[[str, str], Path]

PROGRAM = """
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager
    from typing import Annotated

    import fastapi.routing
    from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Query, Request, Response, status
    from fastapi.encoders import jsonable_encoder
    from fastapi.exceptions import RequestValidationError
    from fastapi.middleware.cors import CORSMiddleware
    from fastapi.openapi.utils import get_openapi
    from fastapi.responses import JSONResponse
    from fastapi.security import OAuth2PasswordBearer
    from fastapi.testclient import TestClient
    from pydantic import BaseModel

    import slipstream


    class Item(BaseModel):
        name: str


    def name_of(route: fastapi.routing.APIRoute) -> str:
        return route.name


    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield


    app = FastAPI(title="Items", lifespan=lifespan, generate_unique_id_function=name_of)
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    router = APIRouter(prefix="/items")
    bearer = OAuth2PasswordBearer(tokenUrl="token")


    async def user(token: Annotated[str, Depends(bearer)], limit: Annotated[int, Query(ge=1)] = 1) -> str:
        return token


    @router.post("/", status_code=status.HTTP_201_CREATED)
    async def create(item: Item, who: Annotated[str, Depends(user)], tasks: BackgroundTasks) -> Item:
        if not who:
            raise HTTPException(status_code=404, detail="nobody")
        tasks.add_task(print, who)
        return item


    @app.exception_handler(RequestValidationError)
    async def refuse(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse(jsonable_encoder(error.errors()), 422)


    app.include_router(router)
    client = TestClient(app)
    document = get_openapi(title=app.title, version=fastapi.__version__, routes=app.routes)
    same: slipstream.FastAPI = app
    wrong: int = app
"""


def test_mypy_reads_the_types_of_slipstream(aliased: Environment, write: Write, tmp_path: Path) -> None:
    """A team's checks stay as clean as they were; one error is made, for silence not to be taken for knowledge."""
    program = write("program.py", PROGRAM)

    answer = aliased.run("-m", "mypy", "--strict", "--no-incremental", str(program), cwd=tmp_path)

    assert answer.stdout.splitlines() == [
        f"program.py:{PROGRAM[: PROGRAM.index('wrong:')].count(chr(10)) + 1}: error: Incompatible types in assignment "
        '(expression has type "FastAPI", variable has type "int")  [assignment]',
        "Found 1 error in 1 file (checked 1 source file)",
    ]
