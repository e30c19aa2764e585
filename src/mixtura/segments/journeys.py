"""Customers' journeys in one call: transactions to phases over time, to a folder of results.

It is long because every option is described where a user looks for it.
"""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import (
    EdgeOfRangeWarning,
    InterruptedWarning,
    InvalidDataError,
    optional_import,
)
from mixtura.models import GroupedMultinomialMixture, MultinomialMixture
from mixtura.segments import output
from mixtura.segments.baskets import check_test_fraction, refuse_equal_baskets
from mixtura.segments.header import header
from mixtura.segments.journey_checks import Types, calibration, validation
from mixtura.segments.journey_choice import (
    AUTO,
    CRITERIA,
    FORECAST,
    MOVES,
    PHASES,
    Candidates,
    choose_phases,
)
from mixtura.segments.journey_grid import Grid, make_grid
from mixtura.segments.journey_phases import DESIGNS, VISITS, fit_phases
from mixtura.segments.journey_result import Journeys
from mixtura.segments.journey_tell import assemble_journeys
from mixtura.segments.journey_writing import write_journeys
from mixtura.segments.options import LARGEST_SEED, check_known, silent, whole_number
from mixtura.segments.sweep import MISSIONS, Level, Report, quiet, schedule, sweep
from mixtura.segments.tables import chunks
from mixtura.segments.transactions import read_baskets

__all__ = ["journey_transactions"]

BASKET_TYPES = Level("types", "n_types", "baskets", MISSIONS.usual)
MOST_TYPES = 20
MANY_BASKETS = 20_000  # from here on the usual search would end at the most types anyway


def journey_transactions(
    transactions: Any,
    items: Any = None,
    *,
    customer: str | None = None,
    basket: str | None = None,
    item: str | None = None,
    category: str | Sequence[str] | None = None,
    time: str | None = None,
    quantity: str | None = None,
    amount: str | None = None,
    price: str | None = None,
    item_key: str | None = None,
    where: str | None = None,
    value: str = "lines",
    shared_baskets: str = "error",
    min_support: float | None = None,
    rare: str = "other",
    top_items: int | None = None,
    period: str | float | None = None,
    over: str = AUTO,
    moves: str = AUTO,
    n_types: int | Iterable[int] | None = None,
    n_phases: int | Iterable[int] | None = None,
    criterion: str = FORECAST,
    test_fraction: float = 0.2,
    random_state: int = 0,
    anonymous: bool = False,
    out: str | PathLike[str] | None = None,
    csv: bool = False,
    overwrite: bool = False,
    memory_limit: str | None = None,
    threads: int | None = None,
    progress: Report | None = None,
) -> Journeys:
    """Find the phases that customers go through, and who is likely to move to another one by the next period.

    Time is cut into months (or weeks, or days). A customer has a row for every period since the first visit, also for those without any:
    how many visits, and how many of each basket type. A *phase* is what stays the same for some periods: how often one comes, and, where
    that helps to foresee what comes, what one comes for. Phases follow each other as a hidden Markov model.

    Parameters
    ----------
    transactions : str, path or data frame
        One row per line of a receipt: CSV, Parquet, a folder or pattern of such files, a table or query of a
        DuckDB file (``"shop.duckdb::sales"``), pandas, polars or Arrow.
    items : str, path or data frame, optional
        One row per item, joined by `item` = `item_key`.
    customer, basket, item, category, time, quantity, amount, price, item_key : str, optional
        Column names; what is not given is guessed, and the guesses are in the result.
    where : str, optional
        A condition in SQL over the columns of both tables, such as ``"department = 'GROCERY'"``.
    value : {"lines", "quantity", "amount"}
        What is counted in a basket: lines, units, or lines weighted by their money.
    shared_baskets : {"error", "first"}
        What to do with a basket that has lines of several customers.
    min_support : int or float, optional
        Categories in fewer baskets (a number, or a share below 1) are rare.
    rare : {"other", "drop"}
        Whether rare categories become one, or are left out.
    top_items : int, optional
        Only so many of the most frequent categories of each level are told apart.
    period : {"month", "week", "day"} or float, optional
        Length of a step; a number where times are numbers. None takes months where there are at least six whole ones, else weeks, else
        days; ten equal parts of numbers.
    over : {"auto", "types", "visits"}
        By what phases may differ: how often customers come and what for (basket types), how often alone, or whichever foresees more.
    moves : {"auto", "common", "own"}
        Whether each customer has chances of their own, shrunk to those of all, of moving: where they foresee more, never, or
        always.
    n_types : int or iterable of int, optional
        Number of basket types, or the numbers to choose from by BIC; by default 20, or fewer where there are fewer than 20,000 baskets.
    n_phases : int or iterable of int, optional
        One number, or the numbers to choose from; 2 to 8 by default.
    criterion : {"forecast", "bic", "aic", "icl"}
        How the number of phases is chosen: the smallest that foresees the last periods before the split as well as any, or a criterion of
        fit (lower is better).
    test_fraction : float, default 0.2
        Share of the periods, the latest, that are kept for testing; 0 for none.
    random_state : int, default 0
        Seed; the same data and seed give the same results.
    anonymous : bool, default False
        Whether single customers are left out of journeys.json and the report.
    out : path, optional
        Folder to write: models, customers.parquet, journeys.parquet, journeys.json, names.toml and report.html. It
        appears when it is complete, or not at all.
    csv : bool, default False
        Whether the tables are written as CSV too.
    overwrite : bool, default False
        Whether `out` may replace results of an earlier run.
    memory_limit : str, optional
        Memory that DuckDB may take, such as ``"2GB"``.
    threads : int, optional
        Threads of DuckDB.
    progress : callable, optional
        ``progress(stage, done, total, text)``, called as the work advances. Stages: "read", "note" (a sentence on what was read),
        "types", "households", "phases", "trust", "write".

    Returns
    -------
    Journeys
        Results, models and tables.

    Raises
    ------
    InvalidDataError, ColumnNotFoundError
        If the tables cannot be used, or span fewer than three periods.
    InvalidParameterError
        If an option makes no sense.
    OutputError
        If `out` exists or cannot be written.
    MissingExtraError
        If DuckDB, or what `out` needs, is not installed.

    Warns
    -----
    InterruptedWarning
        At Ctrl-C while numbers are tried: the best so far is used. A second one ends everything, and nothing is written.
    EdgeOfRangeWarning
        If the largest number of phases that was tried is the best.

    Notes
    -----
    The number of visits in a phase is negative binomial; the basket types of a customer's visits in a period are Dirichlet-multinomial.
    Later periods never take part in any choice.

    Examples
    --------
    >>> import pandas
    >>> rng = np.random.default_rng(0)
    >>> lines = []
    >>> for customer in range(60):
    ...     often = customer % 2
    ...     for month in range(12):
    ...         often = 1 - often if rng.random() < 0.1 else often
    ...         for visit in range(rng.poisson(9 if often else 1)):
    ...             day = pandas.Timestamp(2024, month + 1, 1 + int(rng.integers(28)))
    ...             lines.append((customer, day, rng.choice(["milk", "beer"], p=[0.8, 0.2])))
    >>> table = pandas.DataFrame(lines, columns=["customer", "date", "category"])
    >>> table.loc[len(table)] = (0, pandas.Timestamp(2024, 12, 31), "milk")
    >>> found = journey_transactions(table, n_types=2, n_phases=2, over="visits", period="month")
    >>> found
    Journeys(2 phases of 60 customers, 12 months)
    >>> found.phases.mean_visits.round().tolist()
    [8.0, 1.0]
    """
    report = progress or silent
    check_known("criterion", criterion, CRITERIA)
    check_known("over", over, (AUTO, *DESIGNS))
    check_known("moves", moves, MOVES)
    seed = whole_number("random_state", random_state, LARGEST_SEED)
    check_test_fraction(test_fraction)
    target = None if out is None else Path(out)
    if target is not None:
        for module in ("pyarrow", "jinja2", "plotly"):
            optional_import(module, "segment")
        output.check_target(target, overwrite=overwrite)
    report("read", 0, 1, "transactions")
    baskets = read_baskets(
        transactions,
        items,
        customer=customer,
        basket=basket,
        item=item,
        category=category,
        time=time,
        quantity=quantity,
        amount=amount,
        price=price,
        item_key=item_key,
        where=where,
        value=value,
        shared_baskets=shared_baskets,
        min_support=min_support,
        rare=rare,
        top_items=top_items,
        memory_limit=memory_limit,
        threads=threads,
    )
    report("read", 1, 1, f"{baskets.n_baskets:,} baskets")
    for sentence in baskets.describe():
        report("note", 0, 0, sentence)
    grid = make_grid(baskets, period, test_fraction)
    for sentence in grid.periods.notes:
        report("note", 0, 0, sentence)
    numbers = _numbers(grid, n_phases)
    command: dict[str, Any] = {
        "transactions": baskets.source,
        "items": baskets.items_source,
        "where": where,
        "value": value,
        "shared_baskets": shared_baskets,
        "min_support": min_support,
        "rare": rare,
        "top_items": top_items,
        "period": period,
        "over": over,
        "moves": moves,
        "n_types": None if n_types is None else schedule(n_types, grid.n_train_baskets, BASKET_TYPES),
        "n_phases": None if n_phases is None else list(numbers),
        "criterion": criterion,
        "test_fraction": test_fraction,
        "random_state": seed,
        "anonymous": bool(anonymous),
    }
    found = _learn(grid, command, Candidates(numbers, _designs(over, criterion), criterion, moves), report)
    if target is not None:
        found = write_journeys(found, target, csv=csv, overwrite=overwrite, report=report)
    _warn(found)
    return found


def _learn(grid: Grid, command: dict[str, Any], tried: Candidates, report: Report) -> Journeys:
    """Basket types, phases, and the check on later periods."""
    from mixtura import __version__

    seed, begun = command["random_state"], clock.perf_counter()
    types = _types(grid, command["n_types"], seed, report)
    resp = np.empty((len(grid.period), len(types.population.weights_)))
    for rows in chunks(len(resp)):
        resp[rows] = types.population.predict_proba(grid.baskets.counts[rows])
    rows_of = np.column_stack([grid.visits, grid.sums(resp)])
    command["seconds_types"] = clock.perf_counter() - begun
    begun = clock.perf_counter()
    with np.errstate(divide="ignore"):
        log_profiles = np.maximum(np.log(types.population.profiles_), -700.0)
    phases, sweep_of, own = choose_phases(grid, rows_of, log_profiles, tried, seed=seed, report=report)
    command["seconds_phases"] = clock.perf_counter() - begun
    report("trust", 0, 1, "later periods")
    with quiet():
        single = fit_phases(grid, rows_of, VISITS, 1, seed)
        checks = {
            "validation": validation(grid, types, phases, single),
            "calibration": calibration(grid, phases),
        }
    report("trust", 1, 1, "done")
    notes = [
        f"{guess.role} column was guessed: {guess.name}."
        for guess in grid.baskets.columns.values()
        if guess.guessed
    ]
    interrupted = sweep_of.interrupted or types.interrupted
    if interrupted:
        notes.append("The run was interrupted; these are the results so far.")
    head = header(grid.baskets, grid.n_train_baskets, command=command, version=__version__, notes=notes)
    results = assemble_journeys(
        phases,
        sweep_of,
        types.population,
        head=head,
        checks=checks | {"own_moves": own},
        anonymous=command["anonymous"],
    )
    return Journeys(results, phases, types.population, types.household, None, interrupted)


def _types(grid: Grid, numbers: Sequence[int] | None, seed: int, report: Report) -> Types:
    """Basket types, and each customer's own mix of them."""
    n_train = grid.n_train_baskets
    train = grid.baskets.counts[:n_train]
    refuse_equal_baskets(train)
    usual = [number for number in schedule(None, n_train, BASKET_TYPES) if number <= MOST_TYPES]
    tried = list(numbers) if numbers is not None else usual[-1:] if n_train >= MANY_BASKETS else usual
    found = sweep(
        MultinomialMixture(random_state=seed),
        train,
        None,
        tried,
        level=BASKET_TYPES,
        criterion="bic",
        stop_when_turned=numbers is None,
        report=report,
    )
    population = found.model
    report("households", 0, 1, "each customer's own mix")
    with quiet():
        household = GroupedMultinomialMixture(
            len(population.weights_),
            weights_init=population.weights_,
            profiles_init=population.profiles_,
            random_state=seed,
        ).fit(train, groups=grid.baskets.customers[:n_train])
    report("households", 1, 1, f"{len(household.groups_):,} customers")
    return Types(population, household, found.interrupted)


def _designs(over: str, criterion: str) -> tuple[Any, ...]:
    """By what phases may differ; criteria of fit do not compare models of different columns."""
    if over != AUTO:
        return (DESIGNS[over],)
    return tuple(DESIGNS.values()) if criterion == FORECAST else (DESIGNS["types"],)


def _numbers(grid: Grid, numbers: int | Iterable[int] | None) -> tuple[int, ...]:
    n_customers = len(grid.learnt_lengths)
    if n_customers < 2:
        message = (
            f"{n_customers} customer has visits before the split, so there are no journeys to compare. Expected several customers; "
            "check the customer column."
        )
        raise InvalidDataError(message)
    found = schedule(numbers, n_customers, PHASES)
    return tuple(number for number in found if numbers is not None or number > 1)


def _warn(found: Journeys) -> None:
    """What a reader of the results should hear at once."""
    sentence = found.results["choice"]["sentence"]
    if found.interrupted:
        message = f"Interrupted: {sentence}. Run again for the whole search."
        warnings.warn(message, InterruptedWarning, stacklevel=3)
    elif found.results["choice"]["at_edge"]:
        warnings.warn(f"{sentence}. Try other numbers (n_phases).", EdgeOfRangeWarning, stacklevel=3)
