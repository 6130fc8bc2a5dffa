"""Whole applications as source, the same for either framework: classes as dependencies, the tour, and a generated shop.

Each is written to a folder in which `main.py` (of the tour, `tour/main.py`) makes `app`.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

TOUR = Path(__file__).parents[1] / "examples" / "tour"
MODELS = 30
ROUTERS = 20
ROUTES = 150
CLASSES = 201


def write(folder: Path, web: str) -> None:
    """Write all of them.

    Args:
        web: "fastapi" or "slipstream".
    """
    for name, lines in (("classes", classes()), ("shop", shop())):
        (folder / name).mkdir()
        for file, text in lines:
            path = folder / name / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(re.sub(r"\bslipstream\b", web, text), encoding="utf-8")
    for source in TOUR.rglob("*"):
        target = folder / "tour" / "tour" / source.relative_to(TOUR)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".py":
            text = WITHOUT_LINKS if source.name == "links.py" else source.read_text(encoding="utf-8")
            target.write_text(re.sub(r"\bslipstream\b", web, text), encoding="utf-8")
        elif source.is_file() and "__pycache__" not in source.parts:
            shutil.copy(source, target)


WITHOUT_LINKS = '''"""What the tour dials is slipstream's alone; here nothing is dialled."""
from contextlib import asynccontextmanager

from slipstream import APIRouter

router = APIRouter(prefix="/links")


class station:
    @staticmethod
    @asynccontextmanager
    async def running():
        yield


class links:
    @staticmethod
    def attach(app):
        pass
'''


def classes() -> Iterator[tuple[str, str]]:
    """A file of classes, and 200 routes of which each has two of them as dependencies."""
    yield (
        "many.py",
        "from dataclasses import dataclass\n"
        + "".join(f"\n@dataclass\nclass D{n}:\n    q{n}: int = 1\n    r: str = 'a'\n" for n in range(CLASSES)),
    )
    yield (
        "main.py",
        "import many\nfrom slipstream import Depends, FastAPI\n\n"
        "def add(app, n):\n"
        "    @app.get(f'/r{n}')\n"
        "    def read(a=Depends(getattr(many, f'D{n}')), b=Depends(getattr(many, f'D{n + 1}'))) -> int:\n"
        "        return n\n\n"
        f"def make():\n    app = FastAPI()\n    for n in range({CLASSES - 1}):\n        add(app, n)\n    return app\n",
    )


def shop() -> Iterator[tuple[str, str]]:
    """Thirty models, sixty dependencies (functions, generators, classes), 150 routes in twenty routers."""
    yield "models.py", _models()
    yield "dependencies.py", _dependencies()
    for number in range(ROUTERS):
        yield f"routers/r{number}.py", _router(number)
    lines = ["from slipstream import FastAPI", f"from routers import {', '.join(f'r{n}' for n in range(ROUTERS))}", ""]
    lines += ["app = FastAPI(title='A shop')"]
    lines += [f"app.include_router(r{n}.router, prefix='/v1')" for n in range(ROUTERS)]
    yield "main.py", "\n".join(lines) + "\n"
    yield "routers/__init__.py", ""


def _models() -> str:
    text = "from datetime import datetime\nfrom enum import Enum\nfrom pydantic import BaseModel, Field\n\n"
    text += "class Kind(str, Enum):\n    NEW = 'new'\n    USED = 'used'\n\n"
    for n in range(MODELS):
        text += (
            f"class Model{n}(BaseModel):\n"
            f'    """Number {n}."""\n'
            "    id: int = Field(ge=0)\n    name: str = Field(max_length=80)\n    kind: Kind = Kind.NEW\n"
            "    price: float | None = None\n    tags: list[str] = []\n    made: datetime | None = None\n"
        )
        text += f"    inner: Model{n - 1} | None = None\n\n" if n % 3 else "\n"
    return text


def _dependencies() -> str:
    text = "from typing import Annotated\nfrom dataclasses import dataclass\n"
    text += "from slipstream import Depends, Header, Query, Request\n\n"
    for n in range(20):
        above = f"above: Annotated[int, Depends(function{n // 2})], " if n else ""
        style = "async def" if n % 2 else "def"
        own = f"q{n}: Annotated[int, Query(ge=0)] = {n}, x_token: Annotated[str, Header()] = ''"
        text += f"{style} function{n}({above}{own}):\n    return q{n}\n\n"
    for n in range(10):
        style = "async def" if n % 2 else "def"
        text += f"{style} session{n}(request: Request, one: Annotated[int, Depends(function{n})]):\n"
        text += "    yield {'path': request.url.path, 'one': one}\n\n"
    for n in range(15):
        text += f"@dataclass\nclass Page{n}:\n    offset{n}: int = 0\n    limit: Annotated[int, Query(le=100)] = 20\n\n"
    for n in range(15):
        text += f"class Filter{n}:\n"
        text += f"    def __init__(self, page: Annotated[Page{n}, Depends()], text{n}: str | None = None):\n"
        text += f"        self.page, self.text = page, text{n}\n\n"
    return text


def _router(number: int) -> str:
    text = "from typing import Annotated\nfrom slipstream import APIRouter, Body, Depends, HTTPException, Path, Query\n"
    text += "import models as m\nimport dependencies as d\n\n"
    text += (
        f"router = APIRouter(prefix='/r{number}', tags=['r{number}'], dependencies=[Depends(d.function{number})])\n\n"
    )
    for n in range(number, ROUTES, ROUTERS):
        model = f"m.Model{n % MODELS}"
        page, session = f"Annotated[d.Filter{n % 15}, Depends()]", f"Annotated[dict, Depends(d.session{n % 10})]"
        item = "item_id: Annotated[int, Path(ge=0)]"
        style = "def" if n % 4 == 0 else "async def"
        if n % 3 == 0:
            text += f"@router.get('/{n}/{{item_id}}')\n"
            text += f"{style} read{n}({item}, page: {page}, session: {session}) -> {model}:\n"
            text += f"    return {model}(id=item_id, name=session['path'])\n\n"
        elif n % 3 == 1:
            text += f"@router.post('/{n}', status_code=201, response_model={model})\n"
            user = f"Annotated[int, Depends(d.function{n % 20})]"
            text += f"{style} create{n}(item: {model}, session: {session}, user: {user}):\n"
            text += "    return item\n\n"
        else:
            text += f"@router.put('/{n}/{{item_id}}', responses={{404: {{'model': {model}}}}})\n"
            text += f"{style} update{n}({item}, item: {model}, page: {page}, dry: bool = False) -> {model} | None:\n"
            text += "    if dry:\n        raise HTTPException(409)\n    return item\n\n"
    return text
