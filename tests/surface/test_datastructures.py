"""`UploadFile`: what Pydantic takes for one."""

import io
from typing import Any

import fastapi
import pytest
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers, UploadFile as StarletteUploadFile

from slipstream.datastructures import UploadFile

ADAPTER: TypeAdapter[UploadFile] = TypeAdapter(UploadFile)


@pytest.mark.anyio
async def test_a_file_is_read_and_written_without_blocking() -> None:
    """Through the coroutines; the plain file stays at hand."""
    upload = UploadFile(io.BytesIO(b"abc"), size=3, filename="f", headers=Headers({"content-type": "text/plain"}))

    assert await upload.read(2) == b"ab"
    assert await upload.read() == b"c"
    await upload.write(b"d")
    await upload.seek(0)
    assert upload.file.read() == b"abcd"
    await upload.close()
    assert upload.file.closed
    assert (upload.filename, upload.size, upload.content_type) == ("f", 4, "text/plain")


@pytest.mark.parametrize("cls", [UploadFile, StarletteUploadFile], ids=["ours", "starlette"])
def test_any_upload_is_valid_and_kept_as_it_is(cls: Any) -> None:
    """Starlette's form parser makes its own class."""
    upload = cls(io.BytesIO())

    assert ADAPTER.validate_python(upload) is upload


def test_anything_else_is_refused_as_fastapi_refuses_it() -> None:
    """The message reaches the client."""
    messages = []
    for cls in (UploadFile, fastapi.UploadFile):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter[Any](cls).validate_python("text")
        messages.append(caught.value.errors()[0]["msg"])

    assert messages[0] == messages[1]


def test_the_schema_is_a_binary_string() -> None:
    """As OpenAPI 3.1 writes files."""
    assert ADAPTER.json_schema() == TypeAdapter(fastapi.UploadFile).json_schema()
