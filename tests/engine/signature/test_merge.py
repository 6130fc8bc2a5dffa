"""One description out of everything that is said about a parameter."""

from typing import Annotated, Any

from annotated_types import Gt, Lt
from pydantic import Field
from pydantic_core import PydanticUndefined

from slipstream import Query
from slipstream._engine.signature.merge import merge


def test_all_metadata_are_gathered_and_later_words_win() -> None:
    """Teams keep `Limit = Annotated[int, Field(gt=0)]` and add to it where they use it."""
    marker: Any = Query(lt=10, description="marker")

    merged = merge(marker, Annotated[int, Field(gt=0, description="field", title="Field"), marker])

    assert merged.annotation is int
    assert {type(item) for item in merged.metadata} == {Gt, Lt}
    assert (merged.description, merged.title) == ("marker", "Field")


def test_what_only_the_marker_knows_is_kept() -> None:
    """Its class and its own attributes say where the value comes from."""
    marker: Any = Query(include_in_schema=False, openapi_examples={"a": {"value": 1}})

    merged = merge(marker, Annotated[int, marker, Field(gt=0)])

    assert type(merged) is type(marker)
    assert (merged.slot_source, merged.include_in_schema, merged.openapi_examples) == (  # type: ignore[attr-defined]
        "query",
        False,
        {"a": {"value": 1}},
    )


def test_the_marker_itself_is_not_changed() -> None:
    """One marker is shared by all the parameters of an alias."""
    marker: Any = Query()
    before = (marker.annotation, list(marker.metadata), marker.title)

    merge(marker, Annotated[int, Field(gt=0, title="x"), marker])

    assert (marker.annotation, list(marker.metadata), marker.title) == before


def test_a_default_said_elsewhere_counts() -> None:
    """`Annotated[int, Field(default=3), Query()]`."""
    marker: Any = Query()

    assert merge(marker, Annotated[int, marker]).default is PydanticUndefined
