"""Source in, function out; whoever looks at a traceback, a profile or a debugger sees the text."""

import gc
import inspect
import linecache
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from slipstream._engine.codegen.load import Source, load
from slipstream._engine.codegen.writer import Writer


def source(filename: str, comment: str, **constants: Any) -> Source:
    """Write a function that calls a function inside it."""
    writer = Writer()
    with writer.block("def handle(value):"):
        writer.comment(comment)
        with writer.block("def inner():"):
            writer.line("return step(value)")
        writer.line("return inner()")
    return Source("handle", filename, writer.text, writer.shape, constants)


def fail(value: object) -> None:
    raise ValueError(value)


def test_a_loaded_function_works_with_its_constants() -> None:
    """The objects that the text names are its globals, and no others."""
    handle = load(source("<one>", "one", step=lambda value: value + 1))

    assert handle(1) == 2
    assert set(handle.__globals__) == {"step", "handle", "__builtins__"}


def test_a_traceback_shows_the_lines_of_the_text() -> None:
    """Users read it when their endpoint raises; `<string>, line 40` would tell them nothing."""
    handle = load(source("<slipstream GET /items>", "one", step=fail))

    with pytest.raises(ValueError) as caught:
        handle(1)

    told = "".join(traceback.format_exception(caught.value))
    assert 'File "<slipstream GET /items>", line 5, in handle\n    return inner()' in told
    assert 'File "<slipstream GET /items>", line 4, in inner\n    return step(value)' in told


def test_the_text_outlives_a_check_of_the_line_cache() -> None:
    """`linecache` drops files that are not on the disk; pdb and warnings make it check."""
    handle = load(source("<slipstream GET /kept>", "one", step=fail))

    linecache.checkcache()

    assert linecache.getline("<slipstream GET /kept>", 5).strip() == "return inner()"
    assert inspect.getsource(handle).startswith("def handle(value):")


def test_texts_of_one_shape_are_compiled_once_and_keep_their_names_and_constants() -> None:
    """A thousand routes have a few dozen shapes; compiling is most of what registering one costs."""
    first = load(source("<first>", "first.py:1", step=lambda value: f"first {value}"))
    second = load(source("<second>", "second.py:2", step=lambda value: f"second {value}"))

    assert first.__code__.co_code is second.__code__.co_code or first.__code__.co_code == second.__code__.co_code
    assert (first(1), second(1)) == ("first 1", "second 1")
    assert (first.__code__.co_filename, second.__code__.co_filename) == ("<first>", "<second>")


def test_the_compiler_runs_once_for_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is the saving; the sum of two equal texts would hide its loss."""
    compiled: list[str] = []
    real: Callable[..., Any] = compile

    def counting(text: str, *args: Any, **options: Any) -> Any:
        compiled.append(text)
        return real(text, *args, **options)

    monkeypatch.setattr("slipstream._engine.codegen.load.compile", counting, raising=False)

    def one_of_a_kind(comment: str) -> Source:
        writer = Writer()
        with writer.block("def handle():"):
            writer.comment(comment)
            writer.line("return only_in_this_test")
        return Source("handle", f"<{comment}>", writer.text, writer.shape, {"only_in_this_test": comment})

    answers = [load(one_of_a_kind(comment))() for comment in ("a", "b", "c")]

    assert answers == ["a", "b", "c"]
    assert len(compiled) == 1


def test_functions_inside_carry_the_file_name_too() -> None:
    """Profilers count by file and line; half of a route under another name would not add up."""
    handle = load(source("<whole>", "one", step=fail))

    names = {code.co_filename for code in gc.get_referents(handle.__code__.co_consts) if inspect.iscode(code)}
    assert names == {"<whole>"}
