"""The command line: the same calls as in Python, with progress and results as text; no logic of its own.

It is long because every option of every command is written out. Exit codes: 0 done, 1 something failed, 2 the
input or an option cannot be used, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from mixtura import __version__
from mixtura.exceptions import (
    InvalidDataError,
    InvalidParameterError,
    MixturaError,
    MixturaWarning,
    ModelFileError,
)

__all__ = ["app", "main"]

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130
DEMO_FOLDER = Path("build/demo")

# Everything but what ends a command on purpose; those are RuntimeErrors, and are let through before.
UNEXPECTED = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)

STAGES = {
    "read": "Reading transactions",
    "sweep": "Trying",
    "missions": "Learning",
    "households": "Customers",
    "write": "Writing",
}


def _say(text: str, style: str | None = None, *, error: bool = False) -> None:
    """One line, in plain words: no markup from the data is obeyed, nothing is cut."""
    Console(stderr=error, soft_wrap=True).print(text, style=style, markup=False, highlight=False)


class _Commands(TyperGroup):
    """All commands, with one answer to errors: what went wrong, in red on stderr, and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MixturaError as error:
            unusable = isinstance(error, InvalidDataError | InvalidParameterError | ModelFileError)
            self._end(ctx, f"Error: {error}", UNUSABLE if unusable else FAILED)
        except KeyboardInterrupt:
            _say("Interrupted. Nothing was written.", "yellow", error=True)
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort):
            raise
        except UNEXPECTED as error:
            text = f"Error: something unexpected failed: {type(error).__name__}: {error}."
            self._end(ctx, f"{text} Run again with --debug to see where.", FAILED)

    @staticmethod
    def _end(ctx: Any, text: str, code: int) -> None:
        if ctx.params.get("debug"):
            _say(traceback.format_exc().rstrip(), error=True)
        _say(text, "bold red", error=True)
        raise typer.Exit(code) from None


app = typer.Typer(
    cls=_Commands,
    name="mixtura",
    help="Mixture models: shopping missions from transactions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        _say(f"mixtura {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")] = False,
) -> None:
    """Mixture models: shopping missions from transactions."""


Transactions = Annotated[str, typer.Argument(help="CSV or Parquet file, one row per line of a receipt.")]
Items = Annotated[str | None, typer.Option(help="CSV or Parquet file, one row per item, joined by key.")]
Customer = Annotated[str | None, typer.Option(help="Column of the customer or household.")]
Basket = Annotated[str | None, typer.Option(help="Column of the basket, receipt or invoice.")]
Item = Annotated[str | None, typer.Option(help="Column of the item in the transactions.")]
Category = Annotated[str | None, typer.Option(help="Column of the item's category.")]
Time = Annotated[str | None, typer.Option(help="Column of the time or date.")]
Quantity = Annotated[str | None, typer.Option(help="Column of the number of units.")]
ItemKey = Annotated[str | None, typer.Option(help="Column of the item in the item table.")]
Where = Annotated[str | None, typer.Option(help="Condition in SQL, such as \"department = 'GROCERY'\".")]
Value = Annotated[str, typer.Option(help="What is counted: lines or quantity.")]
SharedBaskets = Annotated[str, typer.Option(help="Baskets of several customers: error or first.")]
Missions = Annotated[
    str | None,
    typer.Option(help="How many: 30, or 2..10,12,15 to choose from; else until the criterion turns."),
]
Criterion = Annotated[str, typer.Option(help="Chooses the number of missions: bic, aic or icl.")]
TestFraction = Annotated[float, typer.Option(help="Share of the latest baskets that is kept for testing.")]
Seed = Annotated[int, typer.Option(help="Seed: the same seed gives the same missions.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")]
MemoryLimit = Annotated[str | None, typer.Option(help="Memory for reading, such as 2GB; more goes to disk.")]
ModelPath = Annotated[Path, typer.Argument(help="Model file, or the folder that `segment` wrote.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only where the results are.")]


@app.command()
def segment(
    transactions: Transactions,
    items: Items = None,
    customer: Customer = None,
    basket: Basket = None,
    item: Item = None,
    category: Category = None,
    time: Time = None,
    quantity: Quantity = None,
    item_key: ItemKey = None,
    where: Where = None,
    value: Value = "lines",
    shared_baskets: SharedBaskets = "error",
    missions: Missions = None,
    criterion: Criterion = "bic",
    test_fraction: TestFraction = 0.2,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("missions"),
    overwrite: Overwrite = False,
    memory_limit: MemoryLimit = None,
    quiet: Quiet = False,
) -> None:
    """Find the missions of a shop's baskets; writes models, tables and a report into a folder."""
    _segment(
        quiet,
        transactions=transactions,
        items=items,
        customer=customer,
        basket=basket,
        item=item,
        category=category,
        time=time,
        quantity=quantity,
        item_key=item_key,
        where=where,
        value=value,
        shared_baskets=shared_baskets,
        missions=missions,
        criterion=criterion,
        test_fraction=test_fraction,
        random_state=seed,
        out=out,
        overwrite=overwrite,
        memory_limit=memory_limit,
    )


@app.command()
def demo(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; without it build/demo, which is replaced.")
    ] = None,
    missions: Missions = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Run on a year of real transactions of 2,469 households (the extra "demo")."""
    from mixtura.segments.demo import demo_tables

    _segment(
        quiet,
        **demo_tables(),
        missions=missions,
        random_state=seed,
        out=out or DEMO_FOLDER,
        overwrite=overwrite or out is None,
    )


def _segment(quiet: bool, *, missions: str | None, out: Path, **options: Any) -> None:
    """The job of `segment` and `demo`: progress while it runs, then ten lines and the folder."""
    from mixtura.segments import segment_transactions
    from mixtura.segments.sweep import missions_from_text

    numbers = None if missions is None else missions_from_text(missions)
    with _warnings_as_text(), _progress(quiet) as progress:
        found = segment_transactions(**options, out=out, n_missions=numbers, progress=progress)
    if quiet:
        _say(str(out))
    else:
        for line in found.summary():
            _say(line)
        _say(f"Report: {out / 'report.html'}", "bold green")
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)


@app.command()
def score(
    model: ModelPath,
    new_data: Annotated[str, typer.Argument(help="CSV or Parquet file of new transactions.")],
    items: Items = None,
    customer: Customer = None,
    basket: Basket = None,
    item: Item = None,
    category: Category = None,
    time: Time = None,
    quantity: Quantity = None,
    item_key: ItemKey = None,
    where: Where = None,
    value: Annotated[str | None, typer.Option(help="What is counted: lines or quantity.")] = None,
    shared_baskets: SharedBaskets = "error",
    out: Annotated[Path | None, typer.Option(help="File for one row per basket: .parquet or .csv.")] = None,
    overwrite: Overwrite = False,
    memory_limit: MemoryLimit = None,
    quiet: Quiet = False,
) -> None:
    """Missions of new baskets under an earlier model; columns and filter are as in its run unless given."""
    from mixtura.segments import score_transactions

    with _warnings_as_text():
        scores = score_transactions(
            model,
            new_data,
            items,
            customer=customer,
            basket=basket,
            item=item,
            category=category,
            time=time,
            quantity=quantity,
            item_key=item_key,
            where=where,
            value=value,
            shared_baskets=shared_baskets,
            out=out,
            overwrite=overwrite,
            memory_limit=memory_limit,
        )
    if not quiet:
        for line in scores.summary():
            _say(line)
    _say(f"One row per basket: {out}" if out else "Give --out FILE for one row per basket.", "bold green")


@app.command()
def info(model: ModelPath) -> None:
    """Say what is in a model file."""
    from mixtura.segments.scoring import describe_model

    for line in describe_model(model):
        _say(line)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder that `segment` wrote.")]) -> None:
    """Make report.html anew from the results in a folder."""
    from mixtura.report import write_report
    from mixtura.segments.output import read_missions

    path = write_report(read_missions(folder), folder / "report.html")
    _say(f"Report: {path}", "bold green")


@contextmanager
def _warnings_as_text() -> Iterator[None]:
    """Warnings of mixtura as yellow lines on stderr, after the work."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MixturaWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, MixturaWarning):
            _say(f"Warning: {warning.message}", "yellow", error=True)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int, str], None]]:
    """A bar per stage on stderr where that is a terminal; sentences about the data always, unless quiet."""
    console = Console(stderr=True, soft_wrap=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def show(stage: str, done: int, total: int, text: str) -> None:
        if stage == "note":
            if not quiet:
                bars.console.print(text, markup=False, highlight=False)
            return
        if stage not in tasks:
            tasks[stage] = bars.add_task(STAGES[stage], total=total, text=text)
        bars.update(tasks[stage], completed=done, total=total, text=text)

    with bars:
        yield show


def main() -> None:
    """Run the command line."""
    app()
