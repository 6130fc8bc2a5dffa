"""Forms and files: fields, lists, models and uploads, urlencoded and multipart, whole and broken."""

import itertools
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, strategies as st

from .differences import UPLOAD_ECHO
from .harness import END_OF_PREAMBLE, Headers, Pair, Sent
from .strategies import PREAMBLE, Kind, Param, examples, params, requests, scalar_kinds, sequence_kinds, texts_for
from .test_parameters import endpoint

FORMS = """
class FormModel(BaseModel):
    name: str
    age: int | None = None
    tags: list[str] = []
    mail: str = Field("m", alias="e-mail")

class StrictForm(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = "n"
    ids: set[int] = set()

class LooseForm(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = "n"

class Uploading(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    name: str
    doc: UploadFile | None = None

# --- end of preamble
"""

FILE_TYPES = (
    "UploadFile",
    "UploadFile | None",
    "bytes",
    "bytes | None",
    "list[UploadFile]",
    "list[bytes]",
    "list[UploadFile] | None",
)
MODEL_TYPES = (
    "FormModel",
    "StrictForm",
    "LooseForm",
    "FormModel | None",
    "Item",
    "Checked",
    "Union[FormModel, StrictForm]",
)
FIELDS = ("name", "age", "tags", "e-mail", "mail", "ids", "low", "high", "price", "extra", "doc")

TEXT = st.sampled_from(["1", "x", "", "red", "6", "too long a name", "é", " "])


@st.composite
def form_params(draw: st.DrawFn) -> tuple[Param, ...]:
    found = []
    for index in range(draw(st.integers(1, 3))):
        source = draw(st.sampled_from(["form", "form", "form", "file", "model"]))
        if source == "form":
            found.append(draw(params(f"f{index}", "form", scalar_kinds | sequence_kinds)))
        elif source == "file":
            shape = draw(st.sampled_from(FILE_TYPES))
            default = " = None" if "None" in shape and draw(st.booleans()) else ""
            styles = [f"Annotated[{shape}, File()]{default}"]
            if "UploadFile" in shape:
                styles.append(f"{shape}{default}")
            kind = Kind(shape, TEXT, TEXT)
            found.append(Param("file", f"f{index}: {draw(st.sampled_from(styles))}", (f"f{index}",), kind))
        else:
            shape = draw(st.sampled_from(MODEL_TYPES))
            default = " = None" if "None" in shape and draw(st.booleans()) else ""
            declared = f"f{index}: Annotated[{shape}, Form()]{default}"
            found.append(Param("model", declared, FIELDS, Kind(shape, TEXT, TEXT)))
    return tuple(found)


@st.composite
def fields(draw: st.DrawFn, declared: tuple[Param, ...]) -> list[tuple[str, str, bool]]:
    """Draw names, values and whether each is a file."""
    found = []
    for param in declared:
        for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
            is_file = draw(st.integers(0, 3)) < (3 if param.source == "file" else 1)
            found.append((draw(st.sampled_from(param.names)), draw(texts_for(param.kind)), is_file))
    return draw(st.permutations(found))


def urlencoded(found: list[tuple[str, str, bool]]) -> bytes:
    return "&".join(f"{quote_plus(name)}={quote_plus(text, errors='replace')}" for name, text, _ in found).encode()


def multipart(found: list[tuple[str, str, bool]], styles: list[str]) -> bytes:
    """Write a multipart body; `styles` vary what browsers and clients vary."""
    body = b""
    for (name, text, is_file), style in zip(found, itertools.cycle(styles)):
        head = f'Content-Disposition: form-data; name="{name}"'
        if is_file:
            filename = {"nameless": "", "odd": 'a\\"b é.txt'}.get(style, "f.txt")
            head += f'; filename="{filename}"'
            head += {"typed": "\r\nContent-Type: text/plain; charset=x", "headed": "\r\nX-Own: 1"}.get(style, "")
        elif style == "typed":
            head += "\r\nContent-Type: text/plain; charset=latin-1"
        content = b"" if style == "nameless" else text.encode("utf-8", "replace")
        body += b"--BOUND\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + b"--BOUND--\r\n"


BROKEN = (
    (b"--BOUND\r\nContent-Disposition: form-data\r\n\r\nx\r\n--BOUND--\r\n", b"multipart/form-data; boundary=BOUND"),
    (b'--BOUND\r\nContent-Disposition: form-data; name="f0"\r\n\r\nx', b"multipart/form-data; boundary=BOUND"),
    (b"not multipart", b"multipart/form-data; boundary=BOUND"),
    (b"x", b"multipart/form-data"),
    (b"", b"multipart/form-data; boundary=BOUND"),
    (b"f0=%ff&f1=\xff", b"application/x-www-form-urlencoded"),
    (b"f0=1;f0=2&&=3&f0", b"application/x-www-form-urlencoded"),
    (b"f0=1", b"APPLICATION/X-WWW-FORM-URLENCODED; charset=latin-1"),
    (b'{"f0": 1}', b"application/json"),
    (b"f0=1", b"text/plain"),
    (b"f0=1", b""),
    (b"", b""),
)


@st.composite
def form_bodies(draw: st.DrawFn, declared: tuple[Param, ...]) -> tuple[tuple[bytes, ...], Headers]:
    if draw(st.integers(0, 7)) == 0:
        raw, content_type = draw(st.sampled_from(BROKEN))
    elif draw(st.booleans()):
        raw, content_type = urlencoded(draw(fields(declared))), b"application/x-www-form-urlencoded"
    else:
        styles = draw(st.lists(st.sampled_from(["", "", "typed", "nameless", "odd", "headed"]), min_size=1, max_size=3))
        raw, content_type = multipart(draw(fields(declared)), styles), b"multipart/form-data; boundary=BOUND"
    cut = draw(st.sampled_from([0, 0, 7, 40]))
    headers: Headers = ((b"content-type", content_type),) if content_type else ()
    return ((raw[:cut], raw[cut:]) if cut else (raw,)), headers


@examples(45)
@given(data=st.data())
def test_forms_are_read_as_fastapi_reads_them(data: Any) -> None:
    """Fields, lists, models and files of a form have the same values or the same errors."""
    declared = data.draw(form_params())
    source = endpoint(declared, is_async=data.draw(st.booleans())).rpartition(END_OF_PREAMBLE)[2]
    pair = Pair(PREAMBLE + FORMS + source.replace("@app.get", "@app.post"), (UPLOAD_ECHO,))
    if pair.is_refused:
        return
    pair.openapi()
    for _ in range(8):
        sent = data.draw(requests((), method="POST", path="/at"))
        chunks, headers = data.draw(form_bodies(declared))
        pair.request(replace(sent, chunks=chunks, headers=headers))


@pytest.mark.parametrize(
    "limits", ["{'max_fields': 2}", "{'max_files': 1}", "{'max_part_size': 4}", "{'max_fields': 0}"]
)
@pytest.mark.parametrize("place", ["app", "router", "route"])
def test_limits_of_forms_hold_wherever_they_are_set(limits: str, place: str) -> None:
    """Too many fields, too many files or too large a part are refused in FastAPI's words."""
    set_at = {where: f"form_limits={limits}" if where == place else "" for where in ("app", "router", "route")}
    pair = Pair(
        PREAMBLE
        + f"app = FastAPI({set_at['app']})\nrouter = APIRouter({set_at['router']})\n"
        + f"@router.post('/', {set_at['route']})\n"
        + "def endpoint(a: Annotated[list[str], Form()] = [], f: list[UploadFile] = []):\n"
        + "    return [show(a), show(f)]\n"
        + "app.include_router(router)\n"
    )
    kinds = {b"multipart/form-data; boundary=BOUND": lambda found: multipart(found, [""]),
             b"application/x-www-form-urlencoded": urlencoded}  # fmt: skip
    for content_type, write in kinds.items():
        for found in (
            [],
            [("a", "x", False)] * 3,
            [("f", "y", True)] * 2,
            [("a", "longer", False)],
            [("f", "longer", True)],
        ):
            pair.request(Sent("POST", headers=((b"content-type", content_type),), chunks=(write(found),)))


@pytest.mark.parametrize("limit", [0, 5, 100])
@pytest.mark.parametrize(
    "declared", ["item: Annotated[Any, Body()] = None", "a: Annotated[str, Form()] = 'd'", "request: Request"]
)
@pytest.mark.parametrize("place", ["app", "router", "route"])
def test_limits_of_bodies_hold_wherever_they_are_set(limit: int, declared: str, place: str) -> None:
    """What is too large is refused with a 413, announced or not, read by us or by the endpoint."""
    set_at = {where: f"max_body_size={limit}" if where == place else "" for where in ("app", "router", "route")}
    body = (
        "return show(item)"
        if "item" in declared
        else "return show(a)"
        if "Form" in declared
        else "return repr(await request.body())"
    )
    pair = Pair(
        PREAMBLE
        + f"app = FastAPI({set_at['app']})\nrouter = APIRouter({set_at['router']})\n"
        + f"@router.post('/', {set_at['route']})\n"
        + f"async def endpoint({declared}):\n    {body}\napp.include_router(router)\n"
    )
    for content_type in (b"application/json", b"application/x-www-form-urlencoded"):
        for chunks in ((b"",), (b"a=1",), (b'"' + b"x" * 20 + b'"',), (b"a=" + b"x" * 4, b"y" * 200)):
            length = (b"content-length", b"%d" % sum(map(len, chunks)))
            pair.request(Sent("POST", headers=((b"content-type", content_type),), chunks=chunks))
            pair.request(Sent("POST", headers=((b"content-type", content_type), length), chunks=chunks))


@pytest.mark.parametrize(
    "limits", ["form_limits={'max_fields': 1}", "form_limits={'max_part_size': 3}", "max_body_size=9"]
)
@pytest.mark.parametrize("path", ["/c/x", "/r/m/x"])
def test_a_mounted_application_has_the_limits_of_the_one_around_it(limits: str, path: str) -> None:
    """Whoever splits an application in two keeps the bounds, whichever way the second is mounted."""
    pair = Pair(
        PREAMBLE
        + f"app = FastAPI({limits})\nchild = FastAPI()\nrouter = APIRouter()\nrouter.mount('/m', child)\n"
        + "@child.post('/x')\ndef endpoint(a: Annotated[list[str], Form()] = []):\n    return show(a)\n"
        + "app.mount('/c', child)\napp.include_router(router, prefix='/r')\n"
    )
    for body in (b"a=1", b"a=1&a=2", b"a=1&b=2&c=3", b"a=longer", b"a=x&a=y&a=z&a="):
        headers = ((b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"%d" % len(body)))
        pair.request(Sent("POST", path, headers=headers, chunks=(body,)))
