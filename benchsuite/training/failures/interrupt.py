"""Ctrl-C and a batch system's notice: the step that is going on is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)

TOGETHER_S = 2.0
"""Signals so close to each other are one: a Ctrl-C reaches a process from the terminal and, a
moment later, from the ``torchrun`` that started it."""


class InterruptNotice:
    """While it is entered, the first SIGINT or SIGTERM only sets ``given``; one that is sent later
    raises ``KeyboardInterrupt`` as usual. Outside of the main thread nothing can be caught.

    Attributes:
        given: whether somebody wants the training to end.
    """

    def __init__(self) -> None:
        self.given = False
        self._before: dict[signal.Signals, Any] = {}
        self._at_once = False
        self._since = 0.0

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
        again = self.given and monotonic() - self._since > TOGETHER_S
        if not self.given:
            self.given, self._since = True, monotonic()
        if again or self._at_once:
            raise KeyboardInterrupt
