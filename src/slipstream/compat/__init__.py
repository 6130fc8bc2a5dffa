"""Let `import fastapi` give slipstream.

After `install()` each `fastapi.x` is the same module object as `slipstream.x`: classes are identical, so
`isinstance`, `except`, pickles and patched attributes agree whichever name was written:

    slipstream alias on                          # for every program of an environment, until `off`

    import slipstream.compat
    slipstream.compat.install()                  # in one program, before anything imports fastapi

    with slipstream.compat.aliased():            # or for a while, as in a test
        import some_package_that_imports_fastapi

    python -m slipstream.compat script.py        # or around a whole program
    python -m slipstream.compat -m package.module
    slipstream run --alias main.py               # also with --reload and --workers

An installed fastapi is hidden meanwhile, and not changed. `importlib.metadata.version("fastapi")` is
`FASTAPI_VERSION`, so that packages find the features that they look for. `install` holds in one process; the commands
pass the alias on to the processes that theirs start. docs/coming-from-fastapi.md has the rest.
"""

from slipstream.compat.alias import (
    FASTAPI_VERSION as FASTAPI_VERSION,
    AlreadyImported as AlreadyImported,
    aliased as aliased,
    install as install,
    is_installed as is_installed,
    main as main,
    tell_children as tell_children,
    uninstall as uninstall,
)
