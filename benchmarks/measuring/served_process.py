"""Sides in processes of their own, which keep what they have loaded and wait for their turns."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

from measuring.sides import Sample, Side

Reply = dict[str, Any]


class ServedProcess:
    """The other end of ``answer``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._in, self._out = cast(IO[str], process.stdin), cast(IO[str], process.stdout)

    def ask(self) -> Reply:
        """Let it take a turn; what it has measured.

        Raises:
            RuntimeError: it ended instead; its error went to the standard error.
        """
        print(file=self._in, flush=True)
        line = self._out.readline()
        if not line:
            raise RuntimeError("the process of a side ended; its error is above")
        reply: Reply = json.loads(line)
        return reply

    def side(self, *more: str) -> Side:
        """Turns as samples: the reply's ``seconds``, and those of its other values named here."""

        def sample() -> Sample:
            reply = self.ask()
            return Sample(reply["seconds"], {name: reply[name] for name in more})

        return Side(self.ask, sample)


@contextmanager
def served(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[ServedProcess]:
    """Start a process; at the end its input is closed and it is waited for."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield ServedProcess(process)


def answer(turn: Callable[[], Reply]) -> None:
    """In the process: take a turn for every line that comes in, and reply with a line.

    What else the turns print goes to the standard error.
    """
    replies, sys.stdout = sys.stdout, sys.stderr
    for _ in sys.stdin:
        print(json.dumps(turn()), file=replies, flush=True)
