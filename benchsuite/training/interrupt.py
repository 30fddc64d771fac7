"""Ctrl-C and a batch system's notice: the step that is going on is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptNotice:
    """While it is entered, the first SIGINT or SIGTERM only sets ``given``; a second one raises
    ``KeyboardInterrupt`` as usual. Outside of the main thread nothing can be caught.

    Attributes:
        given: whether somebody wants the training to end.
    """

    def __init__(self) -> None:
        self.given = False
        self._before: dict[signal.Signals, Any] = {}
        self._at_once = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """For long work that can be left at any point: meanwhile the first signal raises
        ``KeyboardInterrupt`` too."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def __enter__(self) -> InterruptNotice:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self.given = self.given, True
        if again or self._at_once:
            raise KeyboardInterrupt
