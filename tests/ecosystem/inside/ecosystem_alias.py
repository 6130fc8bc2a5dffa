"""Make the first `import fastapi` of any interpreter of an environment install slipstream's alias.

A `.pth` file imports this module when an interpreter starts, so it holds in sub-processes and test workers as well.
Slipstream itself is not imported before a program imports fastapi.
"""

import importlib.util
import sys


class FirstImport:
    """A finder that gives way to slipstream's own at the first import of fastapi."""

    def find_spec(self, fullname, path=None, target=None):
        """Install the alias and ask it; None for names that are not fastapi's."""
        if fullname != "fastapi" and not fullname.startswith("fastapi."):
            return None
        import slipstream.compat

        slipstream.compat.install()
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        return importlib.util.find_spec(fullname)


sys.meta_path.insert(0, FirstImport())
