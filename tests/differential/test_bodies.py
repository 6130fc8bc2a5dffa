"""JSON bodies: one parameter or several, embedded or not, beside other parameters, valid, nearly valid, broken."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from .harness import END_OF_PREAMBLE, Pair, Sent
from .strategies import (
    MODELS,
    PREAMBLE,
    Param,
    body_kinds,
    examples,
    json_bodies,
    params,
    requests,
    scalar_kinds,
    values_for,
)
from .test_parameters import endpoint


@st.composite
def body_signatures(draw: st.DrawFn) -> tuple[str, tuple[Param, ...], tuple[Param, ...]]:
    """Draw the source of an application whose endpoint reads a body, its other parameters, its body parameters."""
    count = draw(st.sampled_from([1, 1, 1, 2, 3]))
    embed = count == 1 and draw(st.integers(0, 3)) == 0
    options = ("embed=True",) if embed else ()
    bodies = [draw(params(f"b{i}", "body", body_kinds, *options)) for i in range(count)]
    if not embed and count == 1 and draw(st.booleans()):
        model = draw(st.sampled_from(MODELS))
        bodies = [Param("body", f"b0: {model.expr}", ("b0",), model)]
    others = [
        draw(params(f"{source[0]}{i}", source, scalar_kinds))
        for i, source in enumerate(draw(st.lists(st.sampled_from(["query", "header"]), max_size=1)))
    ]
    declared_all = (*others, *bodies)
    needs_request = draw(st.integers(0, 3)) == 0
    source = endpoint(declared_all, is_async=draw(st.integers(0, 5)) > 0).replace("@app.get", "@app.post")
    if needs_request:
        source = source.replace("endpoint(*, ", "endpoint(*, request: Request, ")
    return source.rpartition(END_OF_PREAMBLE)[2], tuple(others), tuple(bodies)


def body_values(bodies: tuple[Param, ...], whole: bool) -> st.SearchStrategy[Any]:
    if whole:
        return values_for(bodies[0].kind)
    keys = {name: values_for(param.kind) for param in bodies for name in param.names}
    required = {param.names[-1]: keys.pop(param.names[-1]) for param in bodies}
    return st.one_of(
        st.fixed_dictionaries(required, optional=keys),
        st.fixed_dictionaries(required, optional=keys),
        st.fixed_dictionaries({}, optional={**required, **keys, "extra": st.just(1)}),
        values_for(bodies[0].kind),
    )


@examples(45)
@given(data=st.data())
def test_bodies_are_read_as_fastapi_reads_them(data: Any) -> None:
    """A JSON body has the same value or the same errors, however it is declared and however broken it comes."""
    source, others, bodies = data.draw(body_signatures())
    pair = Pair(PREAMBLE + source)
    if pair.is_refused:
        return
    pair.openapi()
    whole = len(bodies) == 1 and "embed=True" not in source
    for _ in range(8):
        sent = data.draw(requests(others, method="POST", path="/at"))
        chunks, headers = data.draw(json_bodies(body_values(bodies, whole)))
        pair.request(replace(sent, chunks=chunks, headers=(*sent.headers, *headers)))


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("declared", ["item: Item", "item: Item | None = None", "item: Annotated[Any, Body()] = 3"])
def test_a_client_that_leaves_before_its_body_is_complete_is_told_nothing_new(declared: str, strict: bool) -> None:
    """A body that never comes is a bad request, not an error of ours, and nobody waits for it."""
    source = PREAMBLE.replace("FastAPI()", f"FastAPI(strict_content_type={strict})")
    pair = Pair(source + f"\n@app.post('/')\ndef endpoint({declared}):\n    return show(item)\n")

    pair.request(Sent("POST", headers=((b"content-type", b"application/json"),), chunks=(b'{"name"',), leaves=True))
    pair.request(Sent("POST", headers=(), chunks=(b'{"name": "a"}',)))
    pair.request(Sent("POST", headers=((b"content-type", b""),), chunks=(b'{"name": "a"}',)))
