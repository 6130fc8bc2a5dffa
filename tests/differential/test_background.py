"""Background tasks that fail: what runs after them, and who hears of it."""

from typing import Any

from hypothesis import given, strategies as st

from .harness import Pair
from .strategies import PREAMBLE, examples

TASKS = """
log = []

class Mine(Exception):
    pass

def plain(name):
    log.append(name)

async def slow(name):
    log.append(name)

def fails(exc):
    log.append(f"fails {exc!r}")
    raise exc

async def fails_slowly(exc):
    log.append(f"fails {exc!r}")
    raise exc

def closing():
    log.append("open")
    try:
        yield
    except BaseException as exc:
        log.append(f"hears {exc!r}")
        raise
    finally:
        log.append("closed")

class Task(BackgroundTasks):
    pass

# --- end of preamble
"""

ADDED = (
    "add_task(plain, 'one')", "add_task(slow, 'two')", "add_task(fails, ValueError('v'))", "add_task(plain, 'three')",
    "add_task(fails_slowly, Mine('m'))", "add_task(fails, HTTPException(503))", "add_task(fails_slowly, KeyError(1))",
)  # fmt: skip
HANDLERS = (
    "",
    "",
    "@app.exception_handler(Mine)\ndef h(request, exc):\n    log.append('handler')\n    return JSONResponse({}, 499)\n",
    "@app.exception_handler(Exception)\ndef h(request, exc):\n    log.append('any')\n    return JSONResponse({})\n",
    "@app.middleware('http')\nasync def m(request, call_next):\n    return await call_next(request)\n",
)
ENDINGS = (
    "return 1",
    "return JSONResponse({'own': 1}, background=tasks)",
    "yield 1",
)


@examples(40)
@given(data=st.data())
def test_a_task_that_fails_ends_the_others_and_is_raised_to_the_server(data: Any) -> None:
    """Whatever brought them: the parameter, a response, a stream; the response has been sent by then."""
    added = data.draw(st.lists(st.sampled_from(ADDED), min_size=1, max_size=3))
    scope = data.draw(st.sampled_from(["", ", scope='function'"]))
    source = (
        "app = FastAPI()\n"
        + data.draw(st.sampled_from(HANDLERS))
        + f"@app.get('/', dependencies=[Depends(closing{scope})])\n"
        + f"{data.draw(st.sampled_from(['async def', 'def']))} endpoint(tasks: BackgroundTasks):\n"
        + "    own = Task()\n"
        + "".join(f"    {'tasks'}.{each}\n" for each in added)
        + f"    {data.draw(st.sampled_from(ENDINGS))}\n"
    )
    Pair(PREAMBLE + TASKS + source).get("/")
