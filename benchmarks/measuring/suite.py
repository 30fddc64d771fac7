"""Cases as a script and as a pytest-benchmark suite.

SUITE = Suite(__doc__, {"operator/size": in_process(make)})
pytest_generate_tests, test_side = SUITE.tests()

if __name__ == "__main__":
    SUITE.script().main()
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from measuring.interleaved import compare, take_turns
from measuring.rows import Row
from measuring.script import Script
from measuring.sides import Open
from measuring.table import Column


@dataclass(frozen=True)
class Suite:
    """Cases whose sides take turns.

    Attributes:
        description: the module's docstring.
        cases: by name, none of them open.
        threads, rounds, columns: as of ``Script``.
        peers: the most that a case has.
        calls: that pytest-benchmark times; ``None``: as many as it wants.
        add_options: as of ``Script``.
    """

    description: str
    cases: Mapping[str, Open]
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 15
    columns: tuple[Column, ...] = ()
    peers: int = 1
    calls: int | None = None
    add_options: Callable[[argparse.ArgumentParser], None] | None = None

    def script(self) -> Script:
        return Script(
            self.description,
            tuple(self.cases),
            lambda name, threads, options: self.measure(name, threads, options.rounds),
            self.threads,
            self.rounds,
            self.columns,
            self.add_options,
        )

    def measure(self, name: str, threads: int, rounds: int) -> list[Row]:
        """The case's rows, one a peer."""
        with self.cases[name](threads) as sides:
            taken = take_turns(sides, rounds)
        return compare(name, threads, taken)

    def tests(self) -> tuple[Callable[[Any], None], Callable[..., None]]:
        """``pytest_generate_tests`` and the test, for the module to have under these names."""
        names = ["ours", "peer", *(f"peer{place}" for place in range(2, self.peers + 1))]

        def generate(metafunc: Any) -> None:
            metafunc.parametrize("name", self.cases)
            metafunc.parametrize("threads", self.threads)
            metafunc.parametrize("place", range(self.peers + 1), ids=names[: self.peers + 1])

        def test_side(benchmark: Any, name: str, threads: int, place: int) -> None:
            with self.cases[name](threads) as sides:
                if place >= len(sides):
                    import pytest  # which the script does without

                    pytest.skip("the case has no such peer")
                side = [*sides][place]
                benchmark.group = f"{name}, {threads} threads"
                benchmark.extra_info["side"] = side
                if self.calls is None:
                    benchmark(sides[side].call)
                else:
                    benchmark.pedantic(sides[side].call, rounds=self.calls)

        return generate, test_side
