"""Record the messages of one WebSocket, save them to a file, load them again."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a recorded session; the data of "close" are code and reason, with a space between."""

    who: Literal["platform", "bot"]
    kind: Literal["text", "binary", "close"]
    data: str | bytes

    def as_json(self) -> str:
        """Return one line of JSON; binary data in hexadecimal digits."""
        data = self.data.hex() if isinstance(self.data, bytes) else self.data
        return json.dumps({"who": self.who, "kind": self.kind, "data": data})

    @classmethod
    def from_json(cls, text: str) -> "Line":
        """Read what `as_json` has written."""
        found = json.loads(text)
        data = bytes.fromhex(found["data"]) if found["kind"] == "binary" else found["data"]
        return cls(found["who"], found["kind"], data)


@dataclass
class Session:
    """The messages of one WebSocket, in order."""

    lines: list[Line] = field(default_factory=list)

    def save(self, path: str | Path) -> None:
        """Write the messages to a file, each as one line of JSON."""
        Path(path).write_text("".join(line.as_json() + "\n" for line in self.lines), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Session":
        """Read a file that `save` has written."""
        return cls([Line.from_json(line) for line in Path(path).read_text("utf-8").splitlines() if line])
