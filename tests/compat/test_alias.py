"""The alias: `import fastapi` gives slipstream. Each test has an interpreter of its own.

The real fastapi is installed beside (it is the oracle of other tests), so that it must stay hidden.
"""

import subprocess
import sys
import textwrap


def python(code: str, *, fails: bool = False) -> str:
    """Run a program with `compat` imported; return what it printed, or its errors if it should fail."""
    program = "import sys\nfrom slipstream import compat\n" + textwrap.dedent(code)
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (answer.returncode != 0) is fails, answer.stderr
    return answer.stderr if fails else answer.stdout


def test_modules_are_the_very_same_objects() -> None:
    """Two copies of a class would make `isinstance` and `except` fail in ways hard to find."""
    python("""
        compat.install()
        import fastapi, fastapi.exceptions, slipstream, slipstream.exceptions
        from fastapi.params import Query
        import slipstream.params

        assert fastapi is slipstream
        assert fastapi.exceptions is slipstream.exceptions
        assert Query is slipstream.params.Query
        assert sys.modules["fastapi.params"] is sys.modules["slipstream.params"]
    """)


def test_a_module_keeps_its_own_spec() -> None:
    """`importlib.reload` and `inspect` read it."""
    python("""
        import slipstream.exceptions
        before = slipstream.exceptions.__spec__
        compat.install()
        import fastapi.exceptions

        assert fastapi.exceptions.__spec__ is before
    """)


def test_a_patch_under_one_name_is_seen_under_the_other() -> None:
    """Test suites patch `fastapi.x.y` by its name."""
    python("""
        compat.install()
        from unittest import mock
        import slipstream.exceptions
        with mock.patch("fastapi.exceptions.HTTPException", 3):
            assert slipstream.exceptions.HTTPException == 3
    """)


def test_a_module_that_slipstream_lacks_is_not_taken_from_the_real_fastapi() -> None:
    """Half of each would be worse than an error."""
    error = python("""
        compat.install()
        import fastapi.no_such_module
    """, fails=True)  # fmt: skip

    assert "No module named 'fastapi.no_such_module' (there is no slipstream.no_such_module)" in error


def test_other_packages_whose_names_begin_alike_are_left_alone() -> None:
    """`fastapi_users` is not `fastapi.users`."""
    error = python("""
        compat.install()
        import fastapi_that_is_not_there
    """, fails=True)  # fmt: skip

    assert error.rstrip().endswith("No module named 'fastapi_that_is_not_there'")


def test_installing_twice_is_installing_once() -> None:
    """A program and a package that it uses may both ask."""
    python("""
        compat.install()
        finders = len(sys.meta_path)
        compat.install()
        assert len(sys.meta_path) == finders
        compat.uninstall()
        assert not compat.is_installed()
        compat.uninstall()
    """)


def test_after_uninstalling_the_real_one_is_imported() -> None:
    """Nothing stays behind."""
    python("""
        compat.install()
        import fastapi.exceptions as ours
        compat.uninstall()
        import fastapi.exceptions as theirs
        assert ours is sys.modules["slipstream.exceptions"]
        assert theirs.__name__ == "fastapi.exceptions"
    """)


def test_a_real_fastapi_that_is_already_imported_is_an_error() -> None:
    """Whoever imported it holds real classes; mixing them silently would be found late."""
    error = python("""
        import fastapi.exceptions
        compat.install()
    """, fails=True)  # fmt: skip

    assert "AlreadyImported: fastapi is already imported, from" in error
    assert "call slipstream.compat.install() before the first import of fastapi" in error


def test_force_replaces_an_imported_fastapi_and_gives_it_back() -> None:
    """For those who know that nobody holds on to it."""
    python("""
        import fastapi.exceptions
        real = fastapi.exceptions
        with compat.aliased(force=True):
            import fastapi.exceptions
            assert fastapi.exceptions is sys.modules["slipstream.exceptions"]
        import fastapi.exceptions
        assert fastapi.exceptions is real
    """)


def test_nested_blocks_end_with_the_outermost() -> None:
    """An inner block must not take away what an outer one asked for."""
    python("""
        with compat.aliased():
            with compat.aliased():
                pass
            assert compat.is_installed()
        assert not compat.is_installed()
    """)


def test_specs_can_be_found_without_importing() -> None:
    """Packages ask `find_spec("fastapi")` to learn whether it is there."""
    python("""
        import importlib.util
        import slipstream.exceptions
        compat.install()
        spec = importlib.util.find_spec("fastapi.exceptions")
        assert spec.origin == slipstream.exceptions.__file__
        assert importlib.util.find_spec("fastapi").submodule_search_locations == slipstream.__path__
        assert "class HTTPException" in spec.loader.get_source("fastapi.exceptions")
    """)


def test_a_module_put_in_by_hand_has_an_alias_too() -> None:
    """Some tests make modules without a spec."""
    python("""
        from types import ModuleType
        sys.modules["slipstream.by_hand"] = made = ModuleType("slipstream.by_hand")
        compat.install()
        import fastapi.by_hand
        assert fastapi.by_hand is made or sys.modules["fastapi.by_hand"] is made
    """)


def test_the_version_of_fastapi_is_the_one_that_is_followed() -> None:
    """Packages compare it before they use a feature."""
    python("""
        from importlib.metadata import distributions, version
        before = sorted(str(d.name) for d in distributions())
        compat.install()
        import fastapi

        assert version("fastapi") == fastapi.__version__ == compat.FASTAPI_VERSION
        assert version("starlette") != compat.FASTAPI_VERSION
        assert sorted(str(d.name) for d in distributions()) == before
    """)


def test_classes_bear_fastapis_name_while_the_alias_holds() -> None:
    """Programs print, compare and pin it: reports, traces, the error lists of JSON-RPC."""
    python("""
        import pickle
        compat.install()
        import fastapi
        from fastapi import HTTPException

        def name(cls):
            return f"{cls.__module__}.{cls.__qualname__}"

        assert name(HTTPException) == "fastapi.exceptions.HTTPException"
        assert [name(cls) for cls in (fastapi.FastAPI, fastapi.APIRouter, fastapi.routing.APIRoute)] == [
            "fastapi.applications.FastAPI", "fastapi.routing.APIRouter", "fastapi.routing.APIRoute"
        ]
        assert pickle.loads(pickle.dumps(HTTPException(404))).status_code == 404
        from fastapi.security import SecurityScopes  # in a module that is imported later
        assert name(SecurityScopes) == "fastapi.security.oauth2.SecurityScopes"
        import slipstream.links
        assert name(slipstream.links.Link).startswith("slipstream.links.")

        compat.uninstall()
        assert name(HTTPException) == "slipstream.exceptions.HTTPException"
        assert name(SecurityScopes) == "slipstream.security.oauth2.SecurityScopes"
    """)


def test_a_tool_that_waits_for_a_module_gets_it_under_fastapis_name() -> None:
    """Tracers have such a finder: it wraps the loader, and looks the loaded module up by its `__name__`."""
    seen = python("""
        import importlib.util

        seen = []

        class Loader:
            def __init__(self, loader):
                self.create_module, self.execute = loader.create_module, loader.exec_module

            def exec_module(self, module):
                self.execute(module)
                seen.append(module.__name__)

        class Finder:
            asked = None

            def find_spec(self, name, path=None, target=None):
                if not name.startswith("fastapi") or name == self.asked:
                    return None
                self.asked = name
                spec = importlib.util.find_spec(name)
                spec.loader = Loader(spec.loader)
                return spec

        sys.meta_path.insert(0, Finder())
        compat.install()
        from fastapi import FastAPI
        print(*sorted(seen))
        from fastapi import security
        print(seen[-1], security.__name__)
        compat.uninstall()
        print(security.__name__)
    """).splitlines()
    assert {"fastapi", "fastapi.applications", "fastapi.routing", "fastapi.openapi.docs"} <= set(seen[0].split())
    assert len(seen[0].split()) == len(set(seen[0].split()))
    assert seen[1:] == ["fastapi.security fastapi.security", "slipstream.security"]


def test_the_logger_is_fastapis_while_the_alias_holds() -> None:
    """Programs set its level and read its records under the name that FastAPI gives it."""
    python("""
        import logging
        from unittest import TestCase
        compat.install()
        from fastapi.logger import logger

        with TestCase().assertLogs("fastapi", "WARNING") as logs:
            logger.warning("seen")
        assert logs.output == ["WARNING:fastapi:seen"]
        logging.getLogger("fastapi").setLevel("ERROR")
        assert not logger.isEnabledFor(logging.WARNING)

        compat.uninstall()
        assert logger.name == "slipstream" and logger.isEnabledFor(logging.WARNING)
    """)
