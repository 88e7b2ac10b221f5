"""The demonstration's output, in French, on a terminal or in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

Item = TypeVar("Item")
Result = TypeVar("Result")

LOG_WIDTH = 120
MAX_CONCURRENCY = 8
"""Concurrent HTTP clients: enough to keep two cores busy."""


class Narrator:
    def __init__(self, console: Console | None = None) -> None:
        # without a terminal there is no width to detect
        self.console = console or Console(highlight=False, width=None if sys.stdout.isatty() else LOG_WIDTH)

    def chapter(self, date: str, title: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{date}[/bold] · {title}", align="left")

    def say(self, text: str) -> None:
        self.console.print(f"  {text}")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """The first column is text, the others are figures."""
        table = Table(box=None, pad_edge=True, padding=(0, 2))
        for number, header in enumerate(headers):
            table.add_column(header, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self.console.print(table)

    def each(self, text: str, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``work`` for every item, several at once, with a progress bar; results in the order of the items."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress, ThreadPoolExecutor(MAX_CONCURRENCY) as pool:
            task = progress.add_task(text, total=len(items))
            running = [pool.submit(work, item) for item in items]
            results = []
            for future in running:
                results.append(future.result())
                progress.advance(task)
            return results


def euros(cents: int) -> str:
    """``123456`` → ``1 234,56 €``, with no-break spaces."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    grouped = f"{whole:,}".replace(",", "\u00a0")
    return f"{sign}{grouped},{rest:02d} €"


def plural(count: int, singular: str, many: str | None = None) -> str:
    """``2 réservations``; ``many`` is an irregular plural."""
    return f"{count} {singular if abs(count) < 2 else many or singular + 's'}"
