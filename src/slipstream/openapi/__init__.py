"""The OpenAPI document of an app: its models, how it is made, and the pages that show it."""

from slipstream._on_demand import submodules

globals()["__getattr__"] = submodules(globals(), "constants", "docs", "models", "utils")
