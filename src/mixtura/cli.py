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
DEMO_FOLDER, DEMO_JOURNEYS = Path("build/demo"), Path("build/demo-journeys")

# Everything but what ends a command on purpose; those are RuntimeErrors, and are let through before.
UNEXPECTED = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)

STAGES = {
    "read": "Reading transactions",
    "missions": "Missions",
    "types": "Basket types",
    "phases": "Phases",
    "households": "Customers' mixes",
    "segments": "Segments",
    "trust": "Checking",
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


Transactions = Annotated[
    str,
    typer.Argument(
        help="One row per line of a receipt: a CSV or Parquet file, a folder or pattern of them, or a table of a "
        "DuckDB file (shop.duckdb::sales, or ::SELECT ...)."
    ),
]
Items = Annotated[str | None, typer.Option(help="Table with one row per item, joined by key.")]
Customers = Annotated[str | None, typer.Option(help="Table with one row per customer: age, region, ...")]
CustomerKey = Annotated[str | None, typer.Option(help="Column of the customer in the customer table.")]
Customer = Annotated[str | None, typer.Option(help="Column of the customer or household.")]
Basket = Annotated[str | None, typer.Option(help="Column of the basket, receipt or invoice.")]
Item = Annotated[str | None, typer.Option(help="Column of the item in the transactions.")]
Category = Annotated[
    list[str] | None,
    typer.Option(help="Column of the item's category; given several times, several levels are counted."),
]
Time = Annotated[str | None, typer.Option(help="Column of the time or date.")]
Quantity = Annotated[str | None, typer.Option(help="Column of the number of units.")]
Amount = Annotated[str | None, typer.Option(help="Column of the money of a line.")]
Price = Annotated[str | None, typer.Option(help="Column of the price of a unit, where lines have no money.")]
ItemKey = Annotated[str | None, typer.Option(help="Column of the item in the item table.")]
Where = Annotated[str | None, typer.Option(help="Condition in SQL, such as \"department = 'GROCERY'\".")]
Value = Annotated[
    str, typer.Option(help="What is counted: lines, quantity, or amount (lines weighted by money).")
]
MinSupport = Annotated[
    str | None, typer.Option(help="Fold categories in fewer baskets: 50, or a share of them such as 0.1%.")
]
Rare = Annotated[str, typer.Option(help="What to do with rare categories: other (fold into one) or drop.")]
TopItems = Annotated[int | None, typer.Option(help="Keep only so many of the most frequent, of each level.")]
Level = Annotated[
    str,
    typer.Option(help="What to find: baskets (missions), customers (segments over what they buy), or both."),
]
SharedBaskets = Annotated[str, typer.Option(help="Baskets of several customers: error or first.")]
Missions = Annotated[
    str | None,
    typer.Option(help="How many: 30, or 2..10,12,15 to choose from; else until the criterion turns."),
]
Segments = Annotated[
    str | None, typer.Option(help="How many segments of customers: 6, or 2..12 to choose from.")
]
Criterion = Annotated[
    str, typer.Option(help="Chooses the numbers of missions and segments: bic, aic or icl.")
]
Previous = Annotated[
    Path | None,
    typer.Option(
        help="Folder of an earlier run: go on from it, keep its names and order, tell what changed."
    ),
]
Bootstrap = Annotated[
    int, typer.Option(help="Replicates that tell how stable missions and segments are; 0 for none.")
]
Rivals = Annotated[bool, typer.Option(help="Compare with simpler methods on the later baskets.")]
Anonymous = Annotated[bool, typer.Option("--anonymous", help="Leave single customers out of the report.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write all tables as CSV too.")]
TestFraction = Annotated[float, typer.Option(help="Share of the latest baskets that is kept for testing.")]
Seed = Annotated[int, typer.Option(help="Seed: the same seed gives the same missions.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")]
MemoryLimit = Annotated[str | None, typer.Option(help="Memory for reading, such as 2GB; more goes to disk.")]
ModelPath = Annotated[Path, typer.Argument(help="Model file, or the folder that `segment` wrote.")]
Bayes = Annotated[
    bool,
    typer.Option(
        "--bayes", help="Infer the numbers of missions and segments, and say how sure everything is."
    ),
]
MaxMissions = Annotated[
    int | None, typer.Option(help="With --bayes: the most missions, 60 unless you say otherwise.")
]
MaxSegments = Annotated[
    int | None, typer.Option(help="With --bayes: the most segments, 12 unless you say otherwise.")
]
Period = Annotated[
    str | None,
    typer.Option(
        help="Length of a step: month, week or day; a number where times are numbers. Else what suits the data."
    ),
]
Over = Annotated[
    str,
    typer.Option(
        help="Phases by how often customers come and what for (types), how often (visits), or auto."
    ),
]
Moves = Annotated[
    str,
    typer.Option(
        help="Chances of moving of each customer (own), of all (common), or whichever foresees more (auto)."
    ),
]
Types = Annotated[str | None, typer.Option(help="How many basket types: 20, or 5..20 to choose from by BIC.")]
Phases = Annotated[str | None, typer.Option(help="How many phases: 5, or 2..8 to choose from.")]
PhaseCriterion = Annotated[
    str, typer.Option(help="Chooses the number of phases: forecast (of the next period), bic, aic or icl.")
]
PeriodFraction = Annotated[float, typer.Option(help="Share of the latest periods that is kept for testing.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only where the results are.")]


@app.command()
def segment(
    transactions: Transactions,
    items: Items = None,
    customers: Customers = None,
    customer: Customer = None,
    basket: Basket = None,
    item: Item = None,
    category: Category = None,
    time: Time = None,
    quantity: Quantity = None,
    amount: Amount = None,
    price: Price = None,
    item_key: ItemKey = None,
    customer_key: CustomerKey = None,
    where: Where = None,
    value: Value = "lines",
    shared_baskets: SharedBaskets = "error",
    min_support: MinSupport = None,
    rare: Rare = "other",
    top_items: TopItems = None,
    level: Level = "both",
    missions: Missions = None,
    segments: Segments = None,
    criterion: Criterion = "bic",
    bayes: Bayes = False,
    max_missions: MaxMissions = None,
    max_segments: MaxSegments = None,
    test_fraction: TestFraction = 0.2,
    seed: Seed = 0,
    previous: Previous = None,
    bootstrap: Bootstrap = 10,
    rivals: Rivals = True,
    anonymous: Anonymous = False,
    csv: Csv = False,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("missions"),
    overwrite: Overwrite = False,
    memory_limit: MemoryLimit = None,
    quiet: Quiet = False,
) -> None:
    """Find the missions of a shop's baskets and the segments of its customers; writes a folder with a report."""
    from mixtura.segments.rules import number_or_share

    _segment(
        quiet,
        transactions=transactions,
        items=items,
        customers=customers,
        customer=customer,
        basket=basket,
        item=item,
        category=_columns(category),
        time=time,
        quantity=quantity,
        amount=amount,
        price=price,
        item_key=item_key,
        customer_key=customer_key,
        where=where,
        value=value,
        shared_baskets=shared_baskets,
        min_support=None if min_support is None else number_or_share(min_support),
        rare=rare,
        top_items=top_items,
        level=level,
        missions=missions,
        segments=segments,
        criterion=criterion,
        bayes=bayes,
        max_missions=max_missions,
        max_segments=max_segments,
        test_fraction=test_fraction,
        random_state=seed,
        previous=previous,
        bootstrap=bootstrap,
        rivals=rivals,
        anonymous=anonymous,
        csv=csv,
        out=out,
        overwrite=overwrite,
        memory_limit=memory_limit,
    )


@app.command()
def journeys(
    transactions: Transactions,
    items: Items = None,
    customer: Customer = None,
    basket: Basket = None,
    item: Item = None,
    category: Category = None,
    time: Time = None,
    quantity: Quantity = None,
    amount: Amount = None,
    price: Price = None,
    item_key: ItemKey = None,
    where: Where = None,
    value: Value = "lines",
    shared_baskets: SharedBaskets = "error",
    min_support: MinSupport = None,
    rare: Rare = "other",
    top_items: TopItems = None,
    period: Period = None,
    over: Over = "auto",
    moves: Moves = "auto",
    types: Types = None,
    phases: Phases = None,
    criterion: PhaseCriterion = "forecast",
    test_fraction: PeriodFraction = 0.2,
    seed: Seed = 0,
    anonymous: Anonymous = False,
    csv: Csv = False,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("journeys"),
    overwrite: Overwrite = False,
    memory_limit: MemoryLimit = None,
    quiet: Quiet = False,
) -> None:
    """Find the phases that customers go through, and who is likely to move by next month; writes a folder with a report."""
    from mixtura.segments.rules import number_or_share

    _journeys(
        quiet,
        transactions=transactions,
        items=items,
        customer=customer,
        basket=basket,
        item=item,
        category=_columns(category),
        time=time,
        quantity=quantity,
        amount=amount,
        price=price,
        item_key=item_key,
        where=where,
        value=value,
        shared_baskets=shared_baskets,
        min_support=None if min_support is None else number_or_share(min_support),
        rare=rare,
        top_items=top_items,
        period=period,
        over=over,
        moves=moves,
        types=types,
        phases=phases,
        criterion=criterion,
        test_fraction=test_fraction,
        random_state=seed,
        anonymous=anonymous,
        csv=csv,
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
    segments: Segments = None,
    level: Level = "both",
    bayes: Bayes = False,
    max_missions: MaxMissions = None,
    max_segments: MaxSegments = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    journeys: Annotated[
        bool, typer.Option("--journeys", help="Show `mixtura journeys` instead of `mixtura segment`.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Run on a year of real transactions of 2,469 households (the extra "demo")."""
    from mixtura.segments.demo import demo_tables

    if journeys:
        tables = {name: table for name, table in demo_tables().items() if name != "customers"}
        _refuse_beside_journeys(missions, segments, level, max_missions, max_segments, bayes=bayes)
        _journeys(
            quiet,
            **tables,
            types=None,
            phases=None,
            random_state=seed,
            out=out or DEMO_JOURNEYS,
            overwrite=overwrite or out is None,
        )
        return
    _segment(
        quiet,
        **demo_tables(),
        missions=missions,
        segments=segments,
        level=level,
        bayes=bayes,
        max_missions=max_missions,
        max_segments=max_segments,
        random_state=seed,
        out=out or DEMO_FOLDER,
        overwrite=overwrite or out is None,
    )


def _columns(given: list[str] | None) -> str | list[str] | None:
    """One column or several, given one by one or with commas."""
    if not given:
        return None
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    return names[0] if len(names) == 1 else names


def _refuse_beside_journeys(
    missions: str | None,
    segments: str | None,
    level: str,
    max_missions: int | None,
    max_segments: int | None,
    *,
    bayes: bool,
) -> None:
    """Options of missions and segments say nothing about journeys."""
    given = {
        "--missions": missions is not None,
        "--segments": segments is not None,
        "--level": level != "both",
        "--bayes": bayes,
        "--max-missions": max_missions is not None,
        "--max-segments": max_segments is not None,
    }
    found = [name for name, set_ in given.items() if set_]
    if found:
        message = (
            f"{found[0]} is about missions and segments, and --journeys finds phases. Leave one of them out; `mixtura journeys` has the "
            "options of phases."
        )
        raise InvalidParameterError(message)


def _journeys(quiet: bool, *, types: str | None, phases: str | None, out: Path, **options: Any) -> None:
    """The job of `journeys` and `demo --journeys`: progress while it runs, then ten lines and the folder."""
    from mixtura.segments import journey_transactions
    from mixtura.segments.sweep import numbers_from_text

    numbers: dict[str, Any] = {
        f"n_{noun}": None if text is None else numbers_from_text(text, noun)
        for noun, text in (("types", types), ("phases", phases))
    }
    with _warnings_as_text(), _progress(quiet) as progress:
        found = journey_transactions(**options, **numbers, out=out, progress=progress)
    _told(found, out, quiet=quiet)


def _told(found: Any, out: Path, *, quiet: bool) -> None:
    """What was found, and where it lies."""
    for line in [str(out)] if quiet else found.summary():
        _say(line)
    if not quiet:
        _say(f"Report: {out / 'report.html'}", "bold green")
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)


def _segment(quiet: bool, *, missions: str | None, segments: str | None, out: Path, **options: Any) -> None:
    """The job of `segment` and `demo`: progress while it runs, then ten lines and the folder."""
    from mixtura.segments import segment_transactions
    from mixtura.segments.sweep import numbers_from_text

    numbers: dict[str, Any] = {
        f"n_{noun}": None if text is None else numbers_from_text(text, noun)
        for noun, text in (("missions", missions), ("segments", segments))
    }
    with _warnings_as_text(), _progress(quiet) as progress:
        found = segment_transactions(**options, **numbers, out=out, progress=progress)
    _told(found, out, quiet=quiet)


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
    amount: Amount = None,
    price: Price = None,
    item_key: ItemKey = None,
    where: Where = None,
    value: Annotated[str | None, typer.Option(help="What is counted: lines, quantity or amount.")] = None,
    shared_baskets: SharedBaskets = "error",
    out: Annotated[Path | None, typer.Option(help="File for one row per basket: .parquet or .csv.")] = None,
    out_customers: Annotated[
        Path | None, typer.Option(help="File for one row per customer with the segment: .parquet or .csv.")
    ] = None,
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
            category=_columns(category),
            time=time,
            quantity=quantity,
            amount=amount,
            price=price,
            item_key=item_key,
            where=where,
            value=value,
            shared_baskets=shared_baskets,
            out=out,
            out_customers=out_customers,
            overwrite=overwrite,
            memory_limit=memory_limit,
        )
    if not quiet:
        for line in scores.summary():
            _say(line)
    written = [
        f"One row per {unit}: {path}" for unit, path in (("basket", out), ("customer", out_customers)) if path
    ]
    for line in written or ["Give --out FILE for one row per basket."]:
        _say(line, "bold green")


@app.command()
def info(model: ModelPath) -> None:
    """Say what is in a model file."""
    from mixtura.segments.opening import describe_model

    for line in describe_model(model):
        _say(line)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="The folder that `segment` or `journeys` wrote.")],
) -> None:
    """Make report.html anew from the results in a folder, with the names of its names.toml."""
    from mixtura.report import write_journeys_report, write_report
    from mixtura.segments.journey_writing import read_journeys
    from mixtura.segments.output import is_journeys, read_results, unknown_names

    if is_journeys(folder):
        content, notes = read_journeys(folder)
        for note in notes:
            _say(f"Warning: {note}", "yellow", error=True)
        _say(f"Report: {write_journeys_report(content, folder / 'report.html')}", "bold green")
        return
    missions, segments = read_results(folder)
    for note in unknown_names(folder, {"missions": missions, "segments": segments}):
        _say(f"Warning: {note}", "yellow", error=True)
    path = write_report(missions, folder / "report.html", segments)
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
