"""The main job in one call: transactions to missions, to a folder of results."""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import (
    EdgeOfRangeWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
    optional_import,
)
from mixtura.segments import output
from mixtura.segments.baskets import Baskets
from mixtura.segments.households import households
from mixtura.segments.result import Segmentation
from mixtura.segments.sweep import check_criterion, schedule, sweep
from mixtura.segments.transactions import read_baskets

__all__ = ["segment_transactions"]

Report = Callable[[str, int, int, str], None]
LARGEST_SEED = 2**32 - 1


def segment_transactions(
    transactions: Any,
    items: Any = None,
    *,
    customer: str | None = None,
    basket: str | None = None,
    item: str | None = None,
    category: str | None = None,
    time: str | None = None,
    quantity: str | None = None,
    item_key: str | None = None,
    where: str | None = None,
    value: str = "lines",
    shared_baskets: str = "error",
    n_missions: int | Iterable[int] | None = None,
    criterion: str = "bic",
    test_fraction: float = 0.2,
    random_state: int = 0,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
    memory_limit: str | None = None,
    threads: int | None = None,
    progress: Report | None = None,
) -> Segmentation:
    """Find the missions of a shop's baskets, and how every customer divides among them.

    A basket is a row of counts per category; a *mission* is what a basket is for: a profile of categories
    that many baskets share. The number of missions is given or chosen by a criterion on the earlier baskets;
    the later ones are kept to see how well each customer's future is predicted.

    Parameters
    ----------
    transactions : str, path or data frame
        One row per line of a receipt: CSV, Parquet (also a pattern with ``*``), pandas, polars or Arrow.
    items : str, path or data frame, optional
        One row per item, joined by `item` = `item_key`.
    customer, basket, item, category, time, quantity, item_key : str, optional
        Column names; what is not given is guessed, and the guesses are in the result.
    where : str, optional
        A condition in SQL over the columns of both tables, such as ``"department = 'GROCERY'"``.
    value : {"lines", "quantity"}
        What is counted in a basket: lines, or units.
    shared_baskets : {"error", "first"}
        What to do with a basket that has lines of several customers.
    n_missions : int or iterable of int, optional
        One number, or the numbers to choose from; by default 2 to 10, 12, 15, 20, 30, ... until the criterion
        turns.
    criterion : {"bic", "aic", "icl"}
        By which the number is chosen; lower is better.
    test_fraction : float, default 0.2
        Share of the baskets, the latest, that are kept for testing; 0 for none.
    random_state : int, default 0
        Seed; the same data and seed give the same missions.
    out : path, optional
        Folder to write: the two models, customers.parquet, baskets.parquet, missions.json and report.html. It
        appears when it is complete, or not at all.
    overwrite : bool, default False
        Whether `out` may replace results of an earlier run.
    memory_limit : str, optional
        Memory that DuckDB may take, such as ``"2GB"``.
    threads : int, optional
        Threads of DuckDB.
    progress : callable, optional
        ``progress(stage, done, total, text)``, called as the work advances. Stages: "read", "note" (a
        sentence on what was read and guessed), "sweep" or "missions", "households", "write".

    Returns
    -------
    Segmentation
        Results, models and counts.

    Raises
    ------
    InvalidDataError, ColumnNotFoundError
        If the tables cannot be used.
    InvalidParameterError
        If an option makes no sense.
    OutputError
        If `out` exists or cannot be written.
    MissingExtraError
        If DuckDB, or what `out` needs, is not installed.

    Warns
    -----
    InterruptedWarning
        At Ctrl-C during the sweep, which ends it: the best number so far is used. A second Ctrl-C ends
        everything, and nothing is written.
    EdgeOfRangeWarning
        If the largest number that was tried is the best.

    Notes
    -----
    Test baskets never take part in the choice. Baskets of customers without an earlier basket are scored with
    the population's weights and left out of the comparison of predictions. Standard errors are paired, and
    treat all baskets of a customer as one observation.

    References
    ----------
    .. [1] I. V. Cadez, P. Smyth, E. Ip and H. Mannila (2001), "Predictive profiles for transaction data using
    finite
       mixture models", University of California, Irvine, technical report 01-67.

    Examples
    --------
    >>> import pandas
    >>> lines = pandas.DataFrame(
    ...     {
    ...         "customer": ["Ann", "Bob"] * 40,
    ...         "basket": [number // 4 * 2 + number % 2 for number in range(80)],
    ...         "category": ["milk", "beer", "bread", "crisps"] * 20,
    ...         "day": [number // 4 for number in range(80)],
    ...     }
    ... )
    >>> found = segment_transactions(lines, n_missions=2)
    >>> found
    Segmentation(2 missions of 40 baskets)
    >>> found.model.group_weights_.round(1).max(axis=1).tolist()
    [1.0, 1.0]
    """
    report = progress or _silent
    check_criterion(criterion)
    seed = _checked_seed(random_state)
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
        item_key=item_key,
        where=where,
        value=value,
        shared_baskets=shared_baskets,
        memory_limit=memory_limit,
        threads=threads,
    )
    report("read", 1, 1, f"{baskets.n_baskets:,} baskets")
    for sentence in baskets.describe():
        report("note", 0, 0, sentence)
    n_train = baskets.n_train(test_fraction)
    _refuse_equal_baskets(baskets, n_train)
    numbers = schedule(n_missions, n_train)
    command = {
        "transactions": baskets.source,
        "items": baskets.items_source,
        "where": where,
        "value": value,
        "shared_baskets": shared_baskets,
        "n_missions": None if n_missions is None else numbers,
        "criterion": criterion,
        "test_fraction": test_fraction,
        "random_state": seed,
    }
    begun = clock.perf_counter()
    tried = sweep(
        baskets.counts[:n_train],
        baskets.counts[n_train:],
        numbers,
        criterion=criterion,
        seed=seed,
        stop_when_turned=n_missions is None,
        report=report,
    )
    command["seconds_sweep"] = clock.perf_counter() - begun
    segmentation = households(baskets, n_train, tried, command, report)
    if target is not None:
        segmentation = _write(segmentation, target, overwrite=overwrite, report=report)
    if segmentation.interrupted:
        message = (
            f"Interrupted: {segmentation.missions['choice']['sentence']}. Run again for the whole sweep."
        )
        warnings.warn(message, InterruptedWarning, stacklevel=2)
    elif tried.at_edge:
        message = f"{segmentation.missions['choice']['sentence']}. Try larger numbers (n_missions)."
        warnings.warn(message, EdgeOfRangeWarning, stacklevel=2)
    return segmentation


def _silent(stage: str, done: int, total: int, text: str) -> None:
    """Progress that nobody asked for."""


def _checked_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= LARGEST_SEED:
        message = (
            f"random_state: found {seed!r}. Expected a whole number from 0 to {LARGEST_SEED:,}, such as 0."
        )
        raise InvalidParameterError(message)
    return int(seed)


def _refuse_equal_baskets(baskets: Baskets, n_train: int) -> None:
    counts = baskets.counts[:n_train]
    if n_train > 1 and (counts.max(axis=0) - counts.min(axis=0)).nnz:
        return
    message = (
        f"all {n_train:,} baskets before the split hold the same counts, so there is nothing to tell "
        "apart. Expected baskets "
        "that differ; check the basket and category columns and the filter."
    )
    raise InvalidDataError(message)


def _write(segmentation: Segmentation, target: Path, *, overwrite: bool, report: Report) -> Segmentation:
    """All files at once, or none."""
    from mixtura.report import write_report

    report("write", 0, 1, str(target))
    with output.new_folder(target, overwrite=overwrite) as folder:
        for name, model in (("model", segmentation.model), ("global", segmentation.global_model)):
            with _categories_as_names(model, segmentation.baskets):
                model.save(folder / f"{name}.mixtura")
        output.write_table(segmentation.customer_table(), folder / "customers.parquet")
        output.write_table(segmentation.basket_table(), folder / "baskets.parquet")
        missions = output.plain(segmentation.missions)
        output.write_json(missions, folder / output.MISSIONS)
        write_report(missions, folder / "report.html")
    report("write", 1, 1, str(target))
    return replace(segmentation, folder=target)


@contextmanager
def _categories_as_names(model: Any, baskets: Baskets) -> Iterator[None]:
    """While it is saved, the model knows the names of its columns: it can be used without the folder."""
    model.feature_names_in_ = baskets.categories.astype(object)
    try:
        yield
    finally:
        del model.feature_names_in_
