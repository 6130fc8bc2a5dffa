"""Source in, function out; whoever looks at a traceback, a profile or a debugger sees the text."""

import argparse
import cProfile
import dis
import gc
import inspect
import linecache
import pdb
import traceback
from collections.abc import Callable
from types import CodeType
from typing import Any

import pytest

from slipstream._engine.codegen import Source, UnboundName, Writer, _codes, _globals_of, load


def source(comment: str, **constants: Any) -> Source:
    """Write a function that calls a function inside it."""
    writer = Writer()
    with writer.block("def handle(value):"):
        writer.comment(comment)
        with writer.block("def inner():"):
            writer.line("return step(value)")
        writer.line("return inner()")
    return Source("handle", writer.text, writer.shape, constants)


def fail(value: object) -> None:
    raise ValueError(value)


def test_a_loaded_function_works_with_its_constants() -> None:
    """The objects that the text names are its globals, and no others."""
    handle = load(source("one", step=lambda value: value + 1), "one")

    assert handle(1) == 2
    assert set(handle.__globals__) == {"step", "handle", "__builtins__"}


def test_a_traceback_shows_the_lines_of_the_text() -> None:
    """Users read it when their endpoint raises; `<string>, line 40` would tell them nothing."""
    handle = load(source("one", step=fail), "slipstream GET /items")

    with pytest.raises(ValueError) as caught:
        handle(1)

    told = "".join(traceback.format_exception(caught.value))
    assert 'File "<slipstream GET /items>", line 5, in handle\n    return inner()' in told
    assert 'File "<slipstream GET /items>", line 4, in inner\n    return step(value)' in told


def test_the_text_outlives_a_check_of_the_line_cache() -> None:
    """`linecache` drops files that are not on the disk; pdb and warnings make it check."""
    handle = load(source("one", step=fail), "slipstream GET /kept")

    linecache.checkcache()

    assert linecache.getline("<slipstream GET /kept>", 5).strip() == "return inner()"
    assert inspect.getsource(handle).startswith("def handle(value):")


def test_texts_of_one_shape_are_compiled_once_and_keep_their_names_and_constants() -> None:
    """A thousand routes have a few dozen shapes; compiling is most of what registering one costs."""
    first = load(source("first.py:1", step=lambda value: f"first {value}"), "first")
    second = load(source("second.py:2", step=lambda value: f"second {value}"), "second")

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

    monkeypatch.setattr("slipstream._engine.codegen.compile", counting, raising=False)

    def one_of_a_kind(comment: str) -> Source:
        writer = Writer()
        with writer.block("def handle():"):
            writer.comment(comment)
            writer.line("return only_in_this_test")
        return Source("handle", writer.text, writer.shape, {"only_in_this_test": comment})

    answers = [load(one_of_a_kind(comment), comment)() for comment in ("a", "b", "c")]

    assert answers == ["a", "b", "c"]
    assert len(compiled) == 1


def test_functions_inside_carry_the_file_name_too() -> None:
    """Profilers count by file and line; half of a route under another name would not add up."""
    handle = load(source("one", step=fail), "whole")

    names = {code.co_filename for code in gc.get_referents(handle.__code__.co_consts) if inspect.iscode(code)}
    assert names == {"<whole>"}


def test_two_texts_of_one_label_have_a_file_name_each() -> None:
    """A traceback would show the lines of the text that was loaded last, and a profile would add the two up."""
    first, second = (load(source(comment, step=fail), "slipstream GET /") for comment in ("first.py:1", "second.py:1"))

    shown = {name_of(handle): linecache.getlines(name_of(handle)) for handle in (first, second)}

    assert list(shown) == ["<slipstream GET />", "<slipstream GET / #2>"]
    assert [inspect.getsource(handle).split("# ")[1][:5] for handle in (first, second)] == ["first", "secon"]
    assert [lines[1].strip() for lines in shown.values()] == ["# first.py:1", "# second.py:1"]


def test_one_text_that_is_loaded_twice_has_one_file_name() -> None:
    """A suite that makes its application for each test would else count the same lines under a hundred names."""
    handles = [load(source("same.py:1", step=fail), "slipstream GET /same") for _ in range(3)]

    assert {name_of(handle) for handle in handles} == {"<slipstream GET /same>"}


def test_the_lines_are_there_as_long_as_any_code_of_them() -> None:
    """A traceback is often read when the application that made it is gone; thereafter, memory belongs to others."""
    gc.collect()
    before = set(linecache.cache)
    kept = load(source("kept.py:1", step=fail), "kept")
    caught: list[BaseException] = []
    for number in range(50):
        handle = load(source(f"dropped.py:{number}", step=fail), "dropped")
        try:
            handle(1)
        except ValueError as error:
            caught[:] = [error]
    del handle
    gc.collect()

    names = {frame.filename for frame in traceback.extract_tb(caught[0].__traceback__)} - {__file__}
    assert set(linecache.cache) - before - {__file__} == {"<kept>", *names}
    assert linecache.getline(names.pop(), 2).strip() == "# dropped.py:49"
    caught.clear()
    gc.collect()
    assert set(linecache.cache) - before - {__file__} == {"<kept>"}
    assert linecache.getline(name_of(kept), 2).strip() == "# kept.py:1"


def test_a_debugger_and_a_profiler_name_the_same_lines() -> None:
    """Whoever has found a slow line in a profile lists it in the debugger."""
    first, second = (load(source(f"{name}.py:1", step=str), "slipstream GET /slow") for name in ("one", "two"))
    profile = cProfile.Profile()

    profile.runcall(second, 1)
    names = {entry.code.co_filename for entry in profile.getstats() if isinstance(entry.code, CodeType)}
    debugger = pdb.Pdb()
    debugger.reset()

    assert names == {name_of(second)} != {name_of(first)}
    assert debugger.canonic(name_of(second)) == name_of(second)
    assert debugger.set_break(name_of(second), 5) is None  # what it answers is what is wrong
    debugger.clear_all_breaks()


def name_of(function: Callable[..., Any]) -> str:
    """The file name of a function's code."""
    return function.__code__.co_filename


def test_a_name_that_nothing_binds_is_refused_before_the_text_runs() -> None:
    """On a path that is rarely taken it would be a NameError in production, one day."""
    writer = Writer()
    with writer.block("def handle(value):"):
        writer.comment("a line more")
        with writer.block("if value:"), writer.block("def inner():"):
            writer.line("return value.forgotten + len(known) + forgotten")
    broken = Source("handle", writer.text, writer.shape, {"known": []})

    with pytest.raises(UnboundName) as caught:
        load(broken, "slipstream GET /broken")

    assert (caught.value.name, caught.value.line, caught.value.text) == ("forgotten", 5, writer.text)
    assert "line 5 of the generated text reads: return value.forgotten + len(known) + forgotten" in str(caught.value)
    assert load(Source("handle", writer.text, writer.shape, {"known": [], "forgotten": 1}), "now bound")(0) is None


@pytest.mark.parametrize(
    "text",
    [
        inspect.getsource(argparse),
        f"def handle():\n    return [{', '.join(f'name_{number}' for number in range(1000))}]",
    ],
    ids=["a module", "more names than fit a byte"],
)
def test_global_names_are_those_that_dis_finds(text: str) -> None:
    """They are read from the bytes of the code, which are another Python's to change."""
    for code in _codes(compile(text, "<text>", "exec", dont_inherit=True)):
        found = {item.argval for item in dis.get_instructions(code) if item.opname == "LOAD_GLOBAL"}

        assert set(_globals_of(code)) == found
