"""Responses: how what a user declares is laid over what is there."""

from slipstream.openapi._build.responses import merged


def test_objects_merge_in_depth_and_lists_join() -> None:
    """`openapi_extra` adds to what is there; only plain values replace."""
    base = {"a": {"b": 1, "c": [1]}, "d": 1}
    extra = {"a": {"c": [2], "e": 3}, "d": {"f": 1}}

    assert merged(base, extra) == {"a": {"b": 1, "c": [1, 2], "e": 3}, "d": {"f": 1}}


def test_neither_side_is_changed() -> None:
    """Both may belong to a route that is documented again later."""
    base, extra = {"a": {"b": [1]}}, {"a": {"b": [2], "c": 1}}
    merged(base, extra)

    assert (base, extra) == ({"a": {"b": [1]}}, {"a": {"b": [2], "c": 1}})
