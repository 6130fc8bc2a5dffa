"""Stands at the name fastapi on `sys.path`: the first import puts the finder in place, and gives slipstream."""

import importlib
import sys
from importlib.util import find_spec
from os.path import dirname

del sys.modules[__name__]
if find_spec("slipstream") is None:  # another environment, which has inherited $PYTHONPATH: its own fastapi is meant
    sys.path.remove(dirname(dirname(__file__)))
else:
    import slipstream.compat
    from slipstream import *  # noqa: F403  (what type checkers see)
    from slipstream import __version__ as __version__

    slipstream.compat.install()
importlib.import_module(__name__)
