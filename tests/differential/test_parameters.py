"""Path, query, header and cookie parameters of drawn types, asked for with drawn values."""

from typing import Any

from hypothesis import given, strategies as st

from .harness import Pair
from .strategies import PREAMBLE, Param, examples, params, requests, scalar_kinds, sequence_kinds

KINDS = {
    "path": scalar_kinds,
    "query": scalar_kinds | sequence_kinds,
    "header": scalar_kinds | sequence_kinds,
    "cookie": scalar_kinds,
}


def endpoint(params: tuple[Param, ...], *, is_async: bool = True) -> str:
    """Write an endpoint that tells what it was given, types and all."""
    path = "".join(f"/{{{param.names[0]}}}" for param in params if param.source == "path")
    names = [param.declaration.partition(":")[0] for param in params]
    return (
        PREAMBLE
        + f'\n@app.get("/at{path}")\n{"async " if is_async else ""}def endpoint(*, '
        + ", ".join(param.declaration for param in params)
        + f"):\n    return [{', '.join(f'show({name})' for name in names)}]\n"
    )


@st.composite
def signatures(draw: st.DrawFn) -> tuple[Param, ...]:
    sources = draw(st.lists(st.sampled_from(["path", "query", "query", "header", "cookie"]), min_size=1, max_size=4))
    return tuple(
        draw(
            params(
                f"{source[0] if source != 'path' else 'w'}{'_n' * draw(st.integers(0, 1))}{i}", source, KINDS[source]
            )
        )
        for i, source in enumerate(sources)
    )


@examples(45)
@given(data=st.data())
def test_parameters_are_read_as_fastapi_reads_them(data: Any) -> None:
    """Declared in any way and sent in any way, a parameter has the same value or the same error."""
    declared = data.draw(signatures())
    pair = Pair(endpoint(declared))
    if pair.is_refused:
        return
    pair.openapi()
    for _ in range(8):
        pair.request(data.draw(requests(declared, path="/at")))
