"""What `slipstream migrate` makes of one module."""

import textwrap

import pytest

libcst = pytest.importorskip("libcst")

from slipstream.cli.rewrite import Rewritten  # noqa: E402


def after(text: str) -> str:
    """Rewrite a module without anything to look at."""
    done = Rewritten(textwrap.dedent(text).encode())
    assert done.notes == []
    return done.source.decode()


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("from fastapi import FastAPI, Depends as D\n", "from slipstream import FastAPI, Depends as D\n"),
        ("from fastapi.security.oauth2 import OAuth2\n", "from slipstream.security.oauth2 import OAuth2\n"),
        ("from fastapi import *\n", "from slipstream import *\n"),
        ("from fastapi import routing\n", "from slipstream import routing\n"),
        ("from  fastapi  import(FastAPI, # app\n)\n", "from  slipstream  import(FastAPI, # app\n)\n"),
        ("import os, fastapi as f ;f.FastAPI\n", "import os, slipstream as f ;f.FastAPI\n"),
        ("import fastapi.routing as fastapi\nfastapi.x\n", "import slipstream.routing as fastapi\nfastapi.x\n"),
        ("import fastapi\r\nfastapi.FastAPI\r\n", "import slipstream\r\nslipstream.FastAPI\r\n"),
        ("import fastapi.routing\nfastapi.routing.x\n", "import slipstream.routing\nslipstream.routing.x\n"),
        ("import fastapi\nx: 'list[fastapi.Request]'\n", "import slipstream\nx: 'list[slipstream.Request]'\n"),
        ("try:\n  import fastapi\nexcept ImportError:\n  pass\nfastapi\n",
         "try:\n  import slipstream\nexcept ImportError:\n  pass\nslipstream\n"),
        ("\ufeffimport fastapi\n", "\ufeffimport slipstream\n"),
    ],
)  # fmt: skip
def test_names_change_and_all_else_stays(before: str, wanted: str) -> None:
    """A team reads the diff; a change of layout in it would hide the change of names."""
    assert after(before) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "import fastapis\nfrom fastapis.x import y\n",
        "from .fastapi import x\n",
        "fastapi = 1\nprint(fastapi.x)\n",
        "# fastapi\nx = 'made with fastapi.'\n",
        "def f(fastapi): return fastapi.x\n",
    ],
)
def test_what_is_not_fastapi_is_left(text: str) -> None:
    """A module or a variable may have a name like it."""
    assert after(text) == text


def test_a_use_changes_with_the_import_that_binds_it() -> None:
    """The same name in another scope may be another thing."""
    assert after("""
        import fastapi
        def ours(): return fastapi.FastAPI
        def theirs(fastapi): return fastapi.FastAPI
        class Own:
            import fastapi.params
            x = fastapi.params.Query
    """) == textwrap.dedent("""
        import slipstream
        def ours(): return slipstream.FastAPI
        def theirs(fastapi): return fastapi.FastAPI
        class Own:
            import slipstream.params
            x = slipstream.params.Query
    """)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("slipstream = 1\nimport fastapi\nfastapi.FastAPI\n",
         "slipstream = 1\nimport slipstream as fastapi\nfastapi.FastAPI\n"),
        ("try:\n    import fastapi\nexcept ImportError:\n    fastapi = None\n",
         "try:\n    import slipstream as fastapi\nexcept ImportError:\n    fastapi = None\n"),
        ("import fastapi.params\nfastapi = fastapi.params\n",
         "import slipstream.params, slipstream as fastapi\nfastapi = fastapi.params\n"),
    ],
)  # fmt: skip
def test_where_the_new_name_is_taken_or_the_old_one_bound_otherwise_the_old_one_stays(before: str, wanted: str) -> None:
    """The program runs as before; how it calls the module is for its authors to say."""
    assert after(before) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mock.patch('fastapi.routing.request_response')\n",
         "a string that is left as it is: 'fastapi.routing.request_response'"),
        ("from fastapi.nowhere import x\n", "left as it is: there is no slipstream.nowhere"),
        ("from fastapi import FastAPI, nothing\n", "left as it is: there is no slipstream.nothing"),
        ("import fastapi.nowhere\n", "left as it is: there is no slipstream.nowhere"),
        ("from web import fastapi\n", "the name fastapi of another module: it may be slipstream there now"),
        ("uvicorn.run(app)\n", "uvicorn.run serves as before; `slipstream run` costs less for each request"),
    ],
)  # fmt: skip
def test_what_a_person_has_to_look_at_is_noted_and_left(text: str, said: str) -> None:
    """Whoever changes a string that is no name breaks a program in silence."""
    done = Rewritten(b"\n" + text.encode())

    assert done.notes == [(2, said)]
    assert done.source == b"\n" + text.encode()


def test_the_changes_are_counted() -> None:
    """The summary tells how much there is to review."""
    done = Rewritten(b"import fastapi, fastapi.routing as r\nfrom fastapi import params\nfastapi.x, fastapi.y\n")

    assert (done.imports, done.uses) == (3, 2)


def test_other_modules_are_listed() -> None:
    """Some of them import FastAPI themselves."""
    done = Rewritten(
        b"import os.path as p, fastapi_users\nfrom sentry_sdk.integrations import fastapi as f\nfrom . import x\n"
    )

    assert done.modules == {"os.path", "fastapi_users", "sentry_sdk.integrations"}


def test_a_file_keeps_its_encoding() -> None:
    """The positions are counted in another one."""
    before = "# coding: latin-1\nx = 'ß'; import fastapi; fastapi\n".encode("latin-1")

    assert Rewritten(before).source == before.replace(b"fastapi", b"slipstream")
