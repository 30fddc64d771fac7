"""A file that is still coming in, and what is remembered of where it comes from."""

from __future__ import annotations

import json
import logging
from pathlib import Path

_log = logging.getLogger(__name__)


class PartialFile:
    """``<target>.part`` and, beside it, ``<target>.part.json``.

    Attributes:
        path: the part.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._state = target.with_name(target.name + ".part.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, url: str, validator: str) -> None:
        """Start anew with an empty part.

        Args:
            validator: what tells whether the server still has the same file; empty: nothing does,
                and the part cannot be gone on with.
        """
        self.forget()
        state = json.dumps({"url": url, "validator": validator})
        self._state.write_text(state, encoding="utf-8")

    def resumable(self, url: str) -> tuple[int, str]:
        """How many bytes there are to go on from, and the validator they came with.

        ``(0, "")`` where there are none that belong to ``url``; then nothing is left either.
        """
        size = self.size()
        if size and self._state.is_file():
            try:
                state = json.loads(self._state.read_text(encoding="utf-8"))
                if state["url"] == url and state["validator"]:
                    return size, str(state["validator"])
            except (ValueError, KeyError, TypeError):
                # A crash may leave half a state; then the part cannot be trusted either.
                _log.warning("%s is damaged; starting over", self._state)
        self.forget()
        return 0, ""

    def forget(self) -> None:
        """Remove the part and what is remembered of it."""
        self.path.unlink(missing_ok=True)
        self.forget_origin()

    def forget_origin(self) -> None:
        """Remove what is remembered of the part, which is finished."""
        self._state.unlink(missing_ok=True)
