"""The imports of FastAPI in a program's source, by libcst: what becomes `slipstream`, and what a person has to look at.

What is changed is the name, byte by byte where it stands, so that everything else stays as it was written.
"""

import importlib
import importlib.util
import re

import libcst as cst
from libcst import helpers, metadata

_OLD, _NEW = "fastapi", "slipstream"
_DOTTED = re.compile(rf"{_OLD}(\.\w+)*")
_ANNOTATION = re.compile(rf"(?<![\w.]){_OLD}(?=\.)".encode())


class Rewritten:
    """A module with FastAPI renamed in its imports, and where the imported name is used.

    Attributes:
        source: The module after the change.
        imports: How many imports were renamed.
        uses: How many uses of a name that `import fastapi` had bound were renamed with it.
        notes: What a person has to look at: the line, and why.
        modules: Which other modules it imports.

    Raises:
        libcst.ParserSyntaxError: The source is not Python.
    """

    def __init__(self, source: bytes) -> None:
        module = cst.parse_module(source)
        wrapper = metadata.MetadataWrapper(module)
        self._lines = wrapper.resolve(metadata.PositionProvider)
        self._spans = wrapper.resolve(metadata.ByteSpanPositionProvider)
        self._scopes = wrapper.resolve(metadata.ScopeProvider)
        bound = {each for scope in self._scopes.values() if scope is not None for each in scope.assignments}
        self._taken = any(each.name == _NEW and not _is_import(each) for each in bound)
        self._text = module.code.encode()  # what the positions count, whatever the file's encoding is
        self._edits: dict[tuple[int, int], bytes] = {}
        """What to write from one byte to another."""
        self._noted: set[tuple[int, str]] = set()
        self.modules: set[str] = set()
        self.imports = 0
        for node in self._lines:
            if isinstance(node, cst.ImportFrom):
                self._import_from(node)
            elif isinstance(node, cst.Import):
                self._import_names(node)
        for node in self._lines:
            self._look_at(node)
        self.uses, self.notes = len(self._edits) - self.imports, sorted(self._noted)
        text = self._text
        for (start, end), name in sorted(self._edits.items(), reverse=True):
            text = text[:start] + name + text[end:]
        self.source = text.decode().encode(module.encoding)

    def _note(self, node: cst.CSTNode, text: str) -> None:
        self._noted.add((self._lines[node].start.line, text))

    def _import_from(self, node: cst.ImportFrom) -> None:
        """Rename `from fastapi.x import y`, if slipstream has it."""
        names = [] if isinstance(node.names, cst.ImportStar) else [_path(alias.name) for alias in node.names]
        if node.module is None or node.relative or not self._is_ours(node.module):
            if _OLD in names:
                self._note(node, "the name fastapi of another module: it may be slipstream there now")
            return
        own = _own(node.module)
        missing = [f"{own}.{name}" for name in names if not _exists(own, name)] if _exists(own) else [own]
        if missing:
            self._note(node, f"left as it is: there is no {', '.join(missing)}")
            return
        self._rename(_root(node.module))
        self.imports += 1

    def _import_names(self, node: cst.Import) -> None:
        """Rename `import fastapi.x`, and the uses of what it binds."""
        for alias in node.names:
            if not self._is_ours(alias.name):
                continue
            if not _exists(_own(alias.name)):
                self._note(node, f"left as it is: there is no {_own(alias.name)}")
                continue
            self.imports += 1
            scope = self._scopes[node]
            bound = () if scope is None or alias.asname else scope.assignments  # an `as` binds a name that stays
            # libcst tells the name fastapi apart from fastapi.x.
            assignments = [each for each in bound if each.name.partition(".")[0] == _OLD]
            if self._taken or not all(map(_is_import, assignments)):
                more = b", slipstream as fastapi" if isinstance(alias.name, cst.Attribute) else b" as fastapi"
                self._rename(alias.name, _own(alias.name).encode() + more)
                continue
            self._rename(_root(alias.name))
            for assignment in assignments:
                for access in assignment.references:
                    self._rename_use(access.node)

    def _is_ours(self, module: cst.Name | cst.Attribute) -> bool:
        """Whether an import is of FastAPI; others are listed."""
        root: str = _root(module).value
        if root != _OLD:
            self.modules.add(_path(module))
        return root == _OLD

    def _rename(self, node: cst.CSTNode, name: bytes = _NEW.encode()) -> None:
        span = self._spans[node]
        self._edits[span.start, span.start + span.length] = name

    def _rename_use(self, node: cst.CSTNode) -> None:
        """Rename a use: a name, what begins with it, or an annotation that is a string."""
        if isinstance(node, (cst.Name, cst.Attribute)):
            self._rename(_root(node))
        elif isinstance(node, cst.SimpleString):
            span = self._spans[node]
            text = self._text[span.start : span.start + span.length]
            self._rename(node, _ANNOTATION.sub(_NEW.encode(), text))

    def _look_at(self, node: cst.CSTNode) -> None:
        """Note strings that name FastAPI's modules, and servers that the program starts itself."""
        if isinstance(node, cst.SimpleString) and isinstance(node.evaluated_value, str):
            span = self._spans[node]
            renamed = (span.start, span.start + span.length) in self._edits
            if _DOTTED.fullmatch(node.evaluated_value) and not renamed:
                self._note(node, f"a string that is left as it is: {node.value}")
        elif isinstance(node, cst.Call) and _path(node.func) == "uvicorn.run":
            self._note(node, "uvicorn.run serves as before; `slipstream run` costs less for each request")


def _is_import(assignment: metadata.BaseAssignment) -> bool:
    return isinstance(getattr(assignment, "node", None), cst.Import)


def _path(node: cst.CSTNode) -> str:
    return helpers.get_full_name_for_node(node) or ""


def _root(module: cst.BaseExpression) -> cst.Name:
    while isinstance(module, cst.Attribute):
        module = module.value
    return cst.ensure_type(module, cst.Name)


def _own(module: cst.CSTNode) -> str:
    return _NEW + _path(module).removeprefix(_OLD)


def _exists(module: str, name: str | None = None) -> bool:
    """Whether slipstream has a module, or a name in it."""
    try:
        found = importlib.import_module(module)
        return name is None or hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}") is not None
    except ModuleNotFoundError:
        return False
