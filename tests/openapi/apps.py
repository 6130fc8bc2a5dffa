"""Small programs that between them use everything the document can say; each function makes one app."""

import dataclasses
from collections.abc import AsyncIterable, Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import (
    APIRouter,
    Body,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    Path,
    Query,
    Response,
    Security,
    UploadFile,
)
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    HTTPDigest,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
    SecurityScopes,
)
from fastapi.sse import EventSourceResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Discriminator, Field, Json, Tag, computed_field

T = TypeVar("T")


class Colour(StrEnum):
    """Colours we stock."""

    red = "red"
    blue = "blue"


class Section(Enum):
    books = "books"
    music = "music"


class Maker(BaseModel):
    name: str
    founded: datetime | None = None


class Item(BaseModel):
    """A thing in the shop.

    \f
    Not for the public.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Lamp", "maker": None}]})

    name: str = Field(max_length=40, description="What it is called.")
    price: Decimal = Field(gt=0, multiple_of=0.01)
    stock: int = Field(default=0, ge=0, le=10_000)
    colours: set[Colour] = set()
    maker: Maker | None = None
    parts: list["Item"] = []


class Invoice(BaseModel):
    item: Item
    count: int = 1

    @computed_field
    def total(self) -> Decimal:
        return self.item.price * self.count


class Page(BaseModel, Generic[T]):
    entries: list[T]
    next: str | None = None


class Problem(BaseModel):
    detail: str


class Paging(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    limit: int = Field(10, ge=1, le=100, description="How many.")
    after: str | None = Field(None, alias="startAfter", deprecated=True)
    tags: list[str] = []


class Trace(BaseModel):
    x_trace_id: UUID
    sampled_by: str | None = None


class Session(BaseModel):
    sid: str
    theme: Literal["light", "dark"] = "light"


class Login(BaseModel):
    user_name: str = Field(alias="userName")
    secret: str
    remember: bool = False


class Coupon(BaseModel):
    code: str = Field(validation_alias=AliasChoices("code", "coupon"))


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str] = []


class Blob(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    data: bytes = Field(max_length=9)


class Address(BaseModel):
    model_config = ConfigDict(extra="allow", populate_by_name=True)

    street: str = Field(alias="st")


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)

    city: str = Field(alias="ct")


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0


@dataclasses.dataclass
class Circle:
    radius: float

    @computed_field
    @property
    def area(self) -> float:
        return 3.14 * self.radius**2


class Unhashable:
    __hash__ = None


def plain() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    def read_root():
        pass

    @app.put("/items/{item_id}")
    def replace_item(item_id: int, item: Item, dry_run: bool = False) -> Item:
        """Put an item in the place of another.

        \fNot shown.
        """

    @app.delete("/items/{item_id}", status_code=204)
    def delete_item(item_id: Annotated[int, Path(ge=1, title="The item", description="Its number")]) -> None:
        pass

    @app.api_route("/both", methods=["GET"], operation_id="both_ways", summary="Both", deprecated=True)
    def both():
        pass

    @app.head("/head")
    @app.options("/head")
    def head(): ...

    @app.get("/hidden", include_in_schema=False)
    def hidden(item: Maker):
        pass

    return app


def described() -> FastAPI:
    app = FastAPI(
        title="Shop",
        version="2.3",
        summary="Things",
        description="*Many* things",
        terms_of_service="https://shop.example/terms",
        contact={"name": "Ann", "url": "https://shop.example", "email": "ann@shop.example", "x-room": 5},
        license_info={"url": "https://l.example/mit", "name": "MIT"},
        servers=[{"description": "main", "url": "https://shop.example"}, {"url": "/", "variables": None}],
        openapi_tags=[{"description": "All", "name": "items", "externalDocs": {"url": "https://d.example"}}],
        openapi_external_docs={"url": "https://docs.example", "description": "More"},
    )

    @app.get("/items", tags=["items", Section.books], description="List", response_description="Them")
    def items() -> list[Item]: ...

    @app.get(
        "/extra",
        openapi_extra={
            "x-code-samples": [{"lang": "sh", "source": None}],
            "parameters": [{"name": "raw", "in": "query", "schema": {"minimum": 1, "type": "integer"}}],
            "responses": {"200": {"headers": {"X-Rate": {"schema": {"type": "integer", "minimum": 0}}}}},
            "externalDocs": {"url": "https://docs.example/extra"},
        },
    )
    def extra(q: str): ...

    @app.post(
        "/raw",
        openapi_extra={"requestBody": {"content": {"application/yaml": {"schema": Item.model_json_schema()}}}},
    )
    def raw(): ...

    return app


def parameters() -> FastAPI:
    app = FastAPI()

    @app.get("/all/{key}/{rest:path}")
    def everything(
        key: Annotated[Colour, Path(description="Key", examples=["red"])],
        made: Annotated[int, Query(default_factory=lambda: 3)],
        rest: str,
        a: Annotated[int | None, Query(ge=0, le=9)] = None,
        b: Annotated[list[str], Query(min_length=1, alias="b-b", deprecated=True)] = ["x"],  # noqa: B006
        c: Annotated[str, Query(pattern="^x", title="See", include_in_schema=False)] = "x",
        d: Annotated[str, Query(openapi_examples={"one": {"summary": "First", "value": {"n": None, "m": 1}}})] = "",
        e: Annotated[str, Query(validation_alias="ee")] = "",
        f: Annotated[Json[list[int]] | None, Query()] = None,
        g: Annotated[float, Query(gt=0, lt=1, json_schema_extra={"x-unit": "kg"})] = 0.5,
        user_agent: Annotated[str | None, Header(description="Who")] = None,
        x_list: Annotated[list[int], Header()] = [],  # noqa: B006
        strange_one: Annotated[str, Header(convert_underscores=False)] = "",
        choice: Annotated[str, Header(validation_alias=AliasChoices("X-One", "X-Two"))] = "",
        ads_id: Annotated[str | None, Cookie()] = None,
        since: datetime | None = None,
        ids: Annotated[set[UUID] | None, Query()] = None,
        mode: Literal["a", "b"] = "a",
        noted: Annotated[int, Unhashable()] = 1,
        old: Annotated[str, Query(example="old")] = "",
        kind: Section = Section.books,
    ): ...

    @app.get("/models")
    def models(
        page: Annotated[Paging, Query()],
        trace: Annotated[Trace, Header()],
        session: Annotated[Session | None, Cookie()] = None,
    ): ...

    @app.get("/literal")
    def literal(trace: Annotated[Trace, Header(convert_underscores=False)]): ...

    return app


def dependencies() -> FastAPI:
    app = FastAPI(dependencies=[Depends(lambda trace: None)])

    def paging(limit: int = 10, offset: int = 0): ...

    def loud(x_loud: Annotated[str, Header()], limit: int): ...

    def common(page: Annotated[Any, Depends(paging)], q: str | None = None): ...

    class Filter:
        def __init__(self, colour: Colour = Colour.red, body: Annotated[str, Body()] = ""): ...

    @app.get("/shared")
    def shared(a: Annotated[Any, Depends(common)], b: Annotated[Any, Depends(paging)]): ...

    @app.get("/required-wins/{q}")
    def required_wins(q: str, a: Annotated[Any, Depends(common)], b: Annotated[Any, Depends(loud)]): ...

    @app.post("/bodies", dependencies=[Depends(paging)])
    def bodies(f: Annotated[Filter, Depends()], item: Item): ...

    return app


def json_bodies() -> FastAPI:
    app = FastAPI()

    @app.post("/one")
    def one(item: Annotated[Item, Body(examples=[{"name": "x"}], description="It")]): ...

    @app.post("/embedded")
    def embedded(item: Annotated[Item, Body(embed=True)]): ...

    @app.post("/several")
    def several(item: Item, maker: Maker | None = None, count: Annotated[int, Body(gt=0, title="No.")] = 1): ...

    @app.post("/optional")
    def optional(item: Item | None = None): ...

    @app.post("/media")
    def media(item: Annotated[Maker, Body(media_type="application/vnd.x+json")]): ...

    @app.post("/examples")
    def examples(item: Annotated[Maker, Body(openapi_examples={"a": {"value": {"name": "A"}}})]): ...

    @app.post("/union")
    def union(pet: Annotated[Cat | Dog, Body(discriminator="kind")], p: Annotated[Point, Body()]): ...

    @app.post("/raw")
    def raw(data: Annotated[bytes, Body()], extra: dict[str, list[Item]]): ...

    @app.patch("/point")
    def point(p: Point) -> Point: ...

    return app


def forms() -> FastAPI:
    app = FastAPI()

    @app.post("/values")
    def values(name: Annotated[str, Form()], age: Annotated[int, Form(ge=0)] = 0): ...

    @app.post("/model")
    def model(login: Annotated[Login, Form()]): ...

    @app.post("/nullable")
    def nullable(login: Annotated[Login | None, Form()] = None): ...

    @app.post("/nullable-required")
    def nullable_required(coupon: Annotated[Coupon | None, Form()], n: Annotated[int, Form()]): ...

    @app.post("/union")
    def union(pet: Annotated[Cat | Dog, Form()]): ...

    @app.post("/tagged")
    def tagged(
        pet: Annotated[
            Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(lambda v: v["kind"]), Form()
        ],
    ): ...

    @app.post("/two-models")
    def two_models(
        login: Annotated[Login, Form()], coupon: Annotated[Coupon, Form()], code: Annotated[str, Form()]
    ): ...

    @app.post("/files")
    def files(
        one: UploadFile,
        many: list[UploadFile],
        data: Annotated[bytes, File(description="Raw")],
        note: Annotated[str | None, Form()] = None,
        login: Annotated[Login | None, Form()] = None,
    ): ...

    @app.post("/open")
    def open_model(address: Annotated[Address | None, Form()], coupon: Annotated[Coupon | None, Form()] = None): ...

    @app.post("/aliases")
    def aliases(
        address: Annotated[Address, Form()], n: Annotated[int, Form()], f: UploadFile, by: Annotated[ByName, Form()]
    ): ...

    def also(m: Annotated[str, Form(alias="n")]): ...

    @app.post("/one-name-twice")
    def one_name_twice(
        n: Annotated[int, Form()], login: Annotated[Login, Form()], also: Annotated[Any, Depends(also)]
    ): ...

    @app.post("/multipart")
    def multipart(a: Annotated[str, Form(media_type="multipart/form-data")], b: Annotated[str, Form()]): ...

    return app


def responses() -> FastAPI:
    app = FastAPI(responses={500: {"description": "Ours"}})

    @app.get(
        "/many",
        response_model=Page[Item],
        responses={
            200: {"headers": {"X-A": {"schema": {"type": "string"}}}, "content": {"image/png": {}}},
            404: {"model": Problem},
            "4XX": {"model": Problem, "description": "Yours"},
            "default": {"model": Maker},
            418: {"model": Problem, "content": {"application/json": {"example": {"detail": None, "at": datetime.min}}}},
            307: {},
        },
    )
    def many(q: int): ...

    @app.get("/html", response_class=HTMLResponse, responses={201: {"model": Item}})
    def html(): ...

    @app.get("/text", response_class=PlainTextResponse, status_code=202)
    def text(q: str = ""): ...

    @app.get("/away", response_class=RedirectResponse)
    def away(): ...

    @app.get("/file", response_class=FileResponse)
    def file(): ...

    @app.get("/none", status_code=204)
    def none(): ...

    @app.get("/bare")
    def bare() -> Response: ...

    @app.get("/422", responses={422: {"description": "Mine"}})
    def mine(q: int): ...

    @app.get("/union")
    def union() -> Cat | Dog | None: ...

    @app.get("/tuple")
    def pair() -> tuple[int, Item]: ...

    return app


def in_and_out(*, separate: bool = True) -> FastAPI:
    app = FastAPI(separate_input_output_schemas=separate)

    @app.post("/items")
    def create(item: Item) -> Item: ...

    @app.post("/invoices")
    def invoice(invoice: Invoice) -> list[Invoice]: ...

    @app.post("/blob")
    def blob(blob: Blob) -> Blob: ...

    @app.post("/circle")
    def circle(circle: Circle) -> Circle: ...

    @app.get("/page")
    def page() -> Page[Invoice]: ...

    return app


def security() -> FastAPI:
    app = FastAPI()
    password = OAuth2PasswordBearer(tokenUrl="token", scopes={"read": "Read", "write": "Write"}, refreshUrl="again")
    code = OAuth2AuthorizationCodeBearer(authorizationUrl="a", tokenUrl="t", auto_error=False, description="Code")

    def user(asked: SecurityScopes, token: Annotated[str, Depends(password)]): ...

    def active(user: Annotated[Any, Security(user, scopes=["read"])]): ...

    @app.get("/me")
    def me(user: Annotated[Any, Security(active, scopes=["me", "read"])]): ...

    @app.get("/both", dependencies=[Security(user, scopes=["write"]), Depends(code)])
    def both(user: Annotated[Any, Depends(active)], q: int = 0): ...

    schemes = (
        APIKeyCookie(name="sid"),
        APIKeyHeader(name="X-Key", description="Key", scheme_name="Key"),
        APIKeyQuery(name="key"),
        HTTPBasic(realm="shop"),
        HTTPBearer(bearerFormat="JWT"),
        HTTPDigest(),
        OpenIdConnect(openIdConnectUrl="/.well-known"),
    )
    for number, scheme in enumerate(schemes):

        def endpoint(credentials: Annotated[Any, Security(scheme)]): ...

        app.get(f"/scheme-{number}")(endpoint)
    return app


def routers() -> FastAPI:
    inner = APIRouter(prefix="/inner", tags=["inner"], responses={404: {"model": Problem}})
    outer = APIRouter(prefix="/outer", tags=["outer"], deprecated=True, dependencies=[Depends(HTTPBearer())])
    app = FastAPI()

    @inner.get("/{item_id}")
    def read(item_id: int, q: str | None = None) -> Item: ...

    @outer.post("/", generate_unique_id_function=lambda route: f"custom-{route.name}")
    def write(item: Item, maker: Maker): ...

    outer.include_router(inner, prefix="/deep")
    app.include_router(outer)
    app.include_router(inner, prefix="/again", include_in_schema=False)
    app.include_router(inner, prefix="/shallow", default_response_class=HTMLResponse)
    app.mount("/sub", FastAPI())

    @app.websocket("/ws")
    async def ws(websocket): ...

    return app


def callbacks_and_webhooks() -> FastAPI:
    app = FastAPI()
    calls = APIRouter()

    @calls.post("{$callback_url}/paid/{$request.body.id}", response_model=Problem, tags=["call"], deprecated=True)
    def paid(event: Maker, x_sign: Annotated[str, Header()]): ...

    @app.post("/invoices", callbacks=calls.routes)
    def create(invoice: Invoice, callback_url: str | None = None): ...

    @app.post("/quiet", callbacks=calls.routes)
    def quiet(): ...

    @app.webhooks.post("new-item", deprecated=True)
    def new_item(item: Item, limit: Annotated[int, Query(ge=1)] = 1): ...

    return app


def streams() -> FastAPI:
    app = FastAPI()

    @app.get("/jsonl")
    async def jsonl(n: int = 1) -> AsyncIterable[Item]:
        yield

    @app.get("/jsonl-untyped")
    def untyped() -> Iterable:
        yield

    @app.get("/sse", response_class=EventSourceResponse)
    async def sse() -> AsyncIterable[Item]:
        yield

    @app.post("/sse-untyped", response_class=EventSourceResponse)
    async def sse_untyped():
        yield

    return app


def clashing_names() -> FastAPI:
    app = FastAPI()

    def other() -> type[BaseModel]:
        class Item(BaseModel):
            other: bytes

        return Item

    ours = other()

    class ValidationError(BaseModel):
        mine: str

    @app.post("/a")
    def a(item: Item) -> list[Item]: ...

    @app.post("/b", response_model=dict[str, ours])
    def b(item: ours, error: ValidationError): ...

    return app


ALL = {
    function.__name__: function
    for function in (
        plain, described, parameters, dependencies, json_bodies, forms, responses, in_and_out, security, routers,
        callbacks_and_webhooks, streams, clashing_names,
    )
} | {"one_schema_for_in_and_out": lambda: in_and_out(separate=False)}  # fmt: skip
