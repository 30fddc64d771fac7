"""The first page of a site: every leaderboard with its leaders, and the latest runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchsuite.report import notation
from benchsuite.report.boards import Board, why_apart
from benchsuite.report.naming import Run, dataset_title, device_title, run_name, task_title
from benchsuite.report.pages import render

_LEADERS = 3
_LATEST = 10


@dataclass(frozen=True, slots=True)
class Card:
    """One leaderboard in short.

    Attributes:
        task: what is measured.
        dataset, truth: its dataset, and the start of the annotations' hash where the name alone
            does not tell.
        href: its page.
        leaders: name, value, and the length of its bar, best first.
    """

    task: str
    dataset: str
    truth: str
    primary: str
    href: str
    leaders: Sequence[tuple[str, str, float]]
    ranked: int
    apart: int


def render_index(
    boards: Sequence[Board],
    runs: Sequence[Run],
    *,
    board_href: Callable[[Board], str],
    run_href: Callable[[str], str],
) -> str:
    """The index; of a store without runs, how to make the first one."""
    titles = Counter(board.title for board in boards)
    cards = []
    for board in boards:
        cards.append(
            Card(
                task=task_title(board.task),
                dataset=board.dataset,
                truth=board.key.annotation_sha256[:8] if titles[board.title] > 1 else "",
                primary=board.primary,
                href=board_href(board),
                leaders=_leaders(board),
                ranked=len(board.ranked),
                apart=len(board.apart),
            )
        )
    latest = sorted(runs, key=lambda run: (run["created"], run["run_id"]), reverse=True)
    return render(
        "index.html",
        home=None,
        cards=cards,
        n_runs=len(runs),
        n_results=len({run["result_id"] for run in runs}),
        newest=latest[0]["created"] if latest else None,
        latest=[
            {
                "name": run_name(run),
                "href": run_href(run["run_id"]),
                "dataset": dataset_title(run),
                "images": notation.count(run["n_images"]),
                "device": notation.text(device_title(run)),
                "date": notation.date(run["created"]),
                "apart": why_apart(run),
            }
            for run in latest[:_LATEST]
        ],
    )


def _leaders(board: Board) -> list[tuple[str, str, float]]:
    best = board.ranked[:_LEADERS]
    top = max((abs(entry.primary or 0.0) for entry in best), default=0.0)
    return [
        (
            run_name(entry.run),
            notation.value(entry.primary, board.scale),
            notation.share(entry.primary, board.scale, top) or 0.0,
        )
        for entry in best
    ]
