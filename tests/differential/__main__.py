"""Search for differences between FastAPI and slipstream: `make differential ARGS="--requests 50000 --seed 1"`.

It draws programs (programs.py) until so many requests have been sent. Each difference that nothing in differences.py
explains is printed, and written as a program that runs by itself, made as short as it gets. The same seed draws the
same programs.
"""

import argparse
import ast
import concurrent.futures
import itertools
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from .harness import END_OF_PREAMBLE, scope_of, websocket_scope_of
from .programs import WORLD, Program, check, programs

BLOCK = 25
"""Programs that are drawn from one number, and so again by one."""

TRIES = 300
"""Shorter programs that are tried for one difference."""

RUN_BY_ITSELF = """
# Run it: python this.py; and with every `fastapi` above made `slipstream`.
import asyncio

async def main():
    async def receive():
        return incoming.pop(0) if incoming else {{"type": {disconnect!r}}}

    async def send(message):
        print(message)

    incoming = {incoming!r}
    scope = {scope!r}
    try:
        await app(scope, receive, send)
    finally:
        print(*log, sep="\\n")

asyncio.run(main())
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if there was a difference."""
    parser = argparse.ArgumentParser(prog="make differential", description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="how many to send, at least")
    parser.add_argument("--seed", type=int, default=1, help="which programs to draw")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--per-program", type=int, default=40, help="requests for one program, at most")
    parser.add_argument("--keep", type=Path, help="folder for the programs that show differences; by default a new one")
    options = parser.parse_args(arguments)
    total, started = Found(), time.monotonic()
    for block in blocks(
        options.seed, options.processes, options.per_program, lambda: total.requests >= options.requests
    ):
        total.requests += block.requests
        total.programs += block.programs
        for text in block.differences:
            options.keep = options.keep or Path(tempfile.mkdtemp(prefix="differences-"))
            options.keep.mkdir(parents=True, exist_ok=True)
            total.differences.append(text)
            (options.keep / f"{options.seed}-{len(total.differences)}.py").write_text(text, encoding="utf-8")
            print(in_short(text), flush=True)  # the command's answer
    print(
        f"seed {options.seed}: {total.requests} requests to {total.programs} programs, "
        f"{len(total.differences)} undeclared differences, {time.monotonic() - started:.0f} s"
        + (f"; the programs are in {options.keep}" if total.differences else "")
    )
    return 1 if total.differences else 0


def blocks(first: int, processes: int, most: int, is_enough: Callable[[], bool]) -> Iterator["Found"]:
    """Run block after block, in so many processes, until it is enough."""
    numbers = itertools.count(first * 1_000_000)
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(run_block, next(numbers), most) for _ in range(processes)}
        while running:
            done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                yield future.result()
                if not is_enough():
                    running.add(pool.submit(run_block, next(numbers), most))


def in_short(text: str) -> str:
    """Leave out of a program what all begin with, and how it runs by itself."""
    return text.partition(WORLD[:40])[0] + text.rpartition(END_OF_PREAMBLE)[2].partition("\n# Run it")[0]


@dataclass
class Found:
    """What came of a block of programs."""

    requests: int = 0
    programs: int = 0
    differences: list[str] = field(default_factory=list)


def difference(program: Program) -> str | None:
    """Return what is told of the first difference, or of what stopped the harness; None if there is none."""
    try:
        check(program)
    except AssertionError as exc:
        return str(exc)
    except Exception as exc:
        return f"the harness stopped: {type(exc).__name__}: {exc}"
    return None


def kind_of(told: str) -> str:
    """Tell differences apart, so that a shorter program does not show another one."""
    lines = [line.partition("(")[0] for line in told.splitlines() if line.startswith("---")]
    return "\n".join([*lines, *re.findall(r"status=\w+|raised=\W?\w+", told)])


def shorter(program: Program, kind: str) -> Program:
    """Take away requests, statements and their parts for as long as the difference stays."""

    tries = iter(range(TRIES))

    def shows(smaller: Program) -> bool:
        if next(tries, None) is None:
            return False
        told = difference(smaller)
        return told is not None and kind_of(told) == kind

    for sent in program.sent:
        if shows(replace(program, sent=(sent,))):
            program = replace(program, sent=(sent,))
            break
    changed = True
    while changed:
        changed = False
        for source in smaller_sources(program.source):
            if shows(replace(program, source=source)):
                program, changed = replace(program, source=source), True
                break
    return program


def smaller_sources(source: str) -> Iterator[str]:
    """Give the source without a statement, a decorator's or call's argument, or a parameter: the largest first."""
    count = len(list(ast.walk(ast.parse(source))))
    for take in (_statements, _arguments, _parameters):
        for index in range(count):
            tree = ast.parse(source)
            if not take(tree, index):
                break
            try:
                yield ast.unparse(tree) + "\n"
            except Exception:
                continue


def _statements(tree: ast.AST, index: int) -> bool:
    places = [
        (body, at)
        for node in ast.walk(tree)
        for body in [getattr(node, "body", None)]
        if isinstance(body, list)
        for at in range(len(body))
        if len(body) > 1 and "said" not in ast.unparse(body[at])[:6]
    ]
    if index >= len(places):
        return False
    body, at = places[index]
    del body[at]
    return True


def _arguments(tree: ast.AST, index: int) -> bool:
    calls = [(node, at) for node in ast.walk(tree) if isinstance(node, ast.Call) for at in range(len(node.keywords))]
    if index >= len(calls):
        return False
    call, at = calls[index]
    del call.keywords[at]
    return True


def _parameters(tree: ast.AST, index: int) -> bool:
    places = [
        (node, at) for node in ast.walk(tree) if isinstance(node, ast.arguments) for at in range(len(node.kwonlyargs))
    ]
    if index >= len(places):
        return False
    found, at = places[index]
    del found.kwonlyargs[at], found.kw_defaults[at]
    return True


def report(program: Program, told: str) -> str:
    """Write a difference as a program that runs by itself, below what differs."""
    sent, messages = program.sent[0] if program.sent else (None, None)
    tail = ""
    if sent is not None:
        is_socket = messages is not None
        scope = websocket_scope_of(sent) if is_socket else scope_of(sent)
        incoming = [{"type": "websocket.connect"}, *messages] if messages is not None else [
            {"type": "http.request", "body": chunk, "more_body": sent.leaves or at + 1 < len(sent.chunks)}
            for at, chunk in enumerate(sent.chunks)
        ]  # fmt: skip
        disconnect = "websocket.disconnect" if is_socket else "http.disconnect"
        tail = RUN_BY_ITSELF.format(disconnect=disconnect, incoming=incoming, scope=scope)
    future, rest = "", program.source
    if rest.startswith("from __future__"):
        future, _, rest = rest.partition("\n")
    comment = "".join(f"# {line}\n" for line in told[told.find("\n---") :].strip().splitlines())
    return f"{comment}{future}\n{WORLD}{rest}{tail}"


def run_block(number: int, most: int) -> Found:
    """Draw and check the programs of one number."""
    warnings.simplefilter("ignore")
    found = Found()

    @seed(number)
    @settings(
        max_examples=BLOCK, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(programs(most))
    def each(program: Program) -> None:
        found.programs += 1
        found.requests += len(program.sent)
        told = difference(program)
        if told is not None:
            short = shorter(program, kind_of(told))
            text = report(short, difference(short) or told)
            if text not in found.differences:
                found.differences.append(text)

    each()
    return found


if __name__ == "__main__":
    sys.exit(main())
