"""A progress display for one fit, on standard error, through the driver's callbacks."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mixtura.inference.driver import Progress as PassProgress

__all__ = ["FitProgress"]


class FitProgress:
    """Rich progress bar that shows steps, objective per row and its gain.

    Parameters
    ----------
    title : str
        What is being fitted.
    max_iter : int
        Length of the bar.
    enabled : bool, default True
        False shows nothing.

    Examples
    --------
    >>> with FitProgress("fit", 10, enabled=False) as progress:
    ...     progress.callbacks
    ()
    """

    def __init__(self, title: str, max_iter: int, *, enabled: bool = True) -> None:
        self.callbacks = (self._seen,) if enabled else ()
        self._last = float("nan")
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("step {task.completed:.0f}"),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not enabled)
        self._task = self._progress.add_task(title, total=max_iter, status="")

    def _seen(self, progress: PassProgress) -> None:
        value = progress.objective / progress.weight
        gain = value - self._last if progress.step else float("nan")
        self._last = value
        status = f"{value:.6f} per row" + (f", gain {gain:.1e}" if gain == gain else "")  # noqa: PLR0124 - NaN test
        self._progress.update(self._task, completed=progress.step, status=status)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()
