"""Half-public names that packages take from FastAPI's `_compat`. A view: nothing here is used by the framework."""

import pydantic_core
from pydantic_core import Url as Url

from slipstream._compat.shared import *  # noqa: F403  # all that its modules define, as in FastAPI
from slipstream._compat.v2 import *  # noqa: F403

PYDANTIC_V2 = True
UndefinedType = pydantic_core.PydanticUndefinedType
Undefined = RequiredParam = pydantic_core.PydanticUndefined
