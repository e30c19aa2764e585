"""The main job in one call: transactions to missions and segments, to a folder of results.

It is long because every option is described where a user looks for it.
"""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import (
    EdgeOfRangeWarning,
    InterruptedWarning,
    InvalidParameterError,
    optional_import,
)
from mixtura.inference.stopping import catch_interrupt
from mixtura.segments import output
from mixtura.segments.baskets import Baskets, check_test_fraction, refuse_equal_baskets
from mixtura.segments.customers import refuse_few_customers
from mixtura.segments.find import Job, find_missions, segments_of_customers
from mixtura.segments.header import header
from mixtura.segments.households import household_notes
from mixtura.segments.inferring import inference_options
from mixtura.segments.options import LARGEST_SEED, check_known, silent, whole_number
from mixtura.segments.previous import LABELS, Previous, open_earlier, open_previous, previous_labels
from mixtura.segments.refresh import check_compatible
from mixtura.segments.result import Segmentation
from mixtura.segments.sweep import CRITERIA, MISSIONS, SEGMENTS, Report, schedule
from mixtura.segments.tell import tell_missions, tell_segments
from mixtura.segments.totals import mission_totals
from mixtura.segments.transactions import read_baskets
from mixtura.segments.writing import write_results

__all__ = ["segment_transactions"]

LEVELS = ("both", "baskets", "customers")
CHECKS_CUT = "The run was interrupted while the result was checked: samples of the bootstrap or simpler methods are missing."


def segment_transactions(
    transactions: Any,
    items: Any = None,
    customers: Any = None,
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
    customer_key: str | None = None,
    where: str | None = None,
    value: str = "lines",
    shared_baskets: str = "error",
    min_support: float | None = None,
    rare: str = "other",
    top_items: int | None = None,
    level: str = "both",
    n_missions: int | Iterable[int] | None = None,
    n_segments: int | Iterable[int] | None = None,
    criterion: str = "bic",
    test_fraction: float = 0.2,
    random_state: int = 0,
    previous: str | PathLike[str] | None = None,
    bootstrap: int = 10,
    rivals: bool = True,
    anonymous: bool = False,
    out: str | PathLike[str] | None = None,
    csv: bool = False,
    overwrite: bool = False,
    memory_limit: str | None = None,
    threads: int | None = None,
    bayes: bool = False,
    max_missions: int | None = None,
    max_segments: int | None = None,
    progress: Report | None = None,
) -> Segmentation:
    """Find the missions of a shop's baskets and the segments of its customers.

    A basket is a row of counts per category; a *mission* is what a basket is for: a profile of categories
    that many baskets share. A *segment* is who the customer is: a profile of missions that many customers
    share. Both numbers are given or chosen by a criterion on the earlier baskets; the later ones are kept to
    see how well each customer's future is predicted.

    Parameters
    ----------
    transactions : str, path or data frame
        One row per line of a receipt: CSV, Parquet, a folder or pattern of such files, a table or query of a
        DuckDB file (``"shop.duckdb::sales"``), pandas, polars or Arrow.
    items : str, path or data frame, optional
        One row per item, joined by `item` = `item_key`.
    customers : str, path or data frame, optional
        One row per customer (age, region, ...), joined by `customer` = `customer_key`; segments are described
        by it, and never made from it.
    customer, basket, item, category, time, quantity, amount, price, item_key, customer_key : str, optional
        Column names; what is not given is guessed, and the guesses are in the result. Several categories are
        several levels, all of which are counted. `amount` is the money of a line, `price` that of a unit.
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
    level : {"both", "baskets", "customers"}
        What to find: missions and segments over them, missions alone, or segments directly over what
        customers buy.
    n_missions, n_segments : int or iterable of int, optional
        One number, or the numbers to choose from; by default 2 to 10, 12, 15, 20, 30, ... missions and 1 to
        12, 15, ... segments until the criterion turns.
    criterion : {"bic", "aic", "icl"}
        By which the numbers are chosen; lower is better.
    test_fraction : float, default 0.2
        Share of the baskets, the latest, that are kept for testing; 0 for none.
    random_state : int, default 0
        Seed; the same data and seed give the same results.
    previous : path, optional
        Folder of an earlier run. The fits go on from its profiles; missions and segments that are found again
        keep number, name and order; the results tell what is new, gone or drifted, and where customers went.
    bootstrap : int, default 10
        Samples of customers that tell how stable missions and segments are; 0 for none.
    rivals : bool, default True
        Whether simpler methods are compared on the later baskets.
    anonymous : bool, default False
        Whether single customers are left out of segments.json and the report.
    out : path, optional
        Folder to write: models, customers.parquet, baskets.parquet, missions.json, segments.json, names.toml
        and report.html. It appears when it is complete, or not at all.
    csv : bool, default False
        Whether the tables are written as CSV too.
    overwrite : bool, default False
        Whether `out` may replace results of an earlier run; names edited in its names.toml are kept.
    memory_limit : str, optional
        Memory that DuckDB may take, such as ``"2GB"``.
    threads : int, optional
        Threads of DuckDB.
    bayes : bool, default False
        Whether the numbers of missions and segments are inferred, and everything comes with how sure it is: profiles and the mixes
        of customers have posterior laws. `n_missions` and `n_segments` may then be one number each, which is kept.
    max_missions, max_segments : int, optional
        With `bayes`: the largest numbers; 60 and 12 by default.
    progress : callable, optional
        ``progress(stage, done, total, text)``, called as the work advances. Stages: "read", "note" (a
        sentence on what was read and guessed), "missions", "households", "segments", "trust", "write".

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
        At Ctrl-C during a sweep, which ends it: the best number so far is used, and not checked; or during the
        checks, of which those so far are kept. A second Ctrl-C at the same stage ends everything, and nothing is
        written.
    EdgeOfRangeWarning
        If the largest number that was tried is the best.

    Notes
    -----
    Test baskets never take part in the choice. Baskets of customers without an earlier basket are scored with
    the population's weights and left out of the comparison of predictions. Standard errors are paired, and
    treat all baskets of a customer as one observation.

    Segments are a Dirichlet-multinomial mixture over the expected number of baskets of every mission (or the
    lines of every category) of each customer, so customers of one segment may differ more than by chance.

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
    >>> found = segment_transactions(lines, n_missions=2, n_segments=2, bootstrap=0, rivals=False)
    >>> found
    Segmentation(2 missions of 40 baskets, 2 segments of 2 customers)
    >>> found.model.group_weights_.round(1).max(axis=1).tolist()
    [1.0, 1.0]
    """
    report = progress or silent
    check_known("criterion", criterion, CRITERIA)
    _check_level(level, n_missions, n_segments)
    seed = whole_number("random_state", random_state, LARGEST_SEED)
    n_replicates = whole_number("bootstrap", bootstrap, 1000)
    asked = {"level": level, "criterion": criterion, "n_missions": n_missions, "n_segments": n_segments}
    inference = inference_options(bayes, max_missions, max_segments, asked)
    check_test_fraction(test_fraction)
    target = None if out is None else Path(out)
    before = None if previous is None else open_previous(previous)
    if before is not None:
        for part in LABELS:
            previous_labels(before, part)  # a table that cannot be read is told now, not after hours of work
    earlier = None
    if target is not None:
        for module in ("pyarrow", "jinja2", "plotly"):
            optional_import(module, "segment")
        output.check_target(target, overwrite=overwrite)
        if before is None and output.is_results(target):
            earlier = open_earlier(target)
    report("read", 0, 1, "transactions")
    baskets = read_baskets(
        transactions,
        items,
        customers=customers,
        customer=customer,
        basket=basket,
        item=item,
        category=category,
        time=time,
        quantity=quantity,
        amount=amount,
        price=price,
        item_key=item_key,
        customer_key=customer_key,
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
    n_train = baskets.n_train(test_fraction)
    refuse_equal_baskets(baskets.counts[:n_train])
    numbers = _numbers(baskets.customers[:n_train], level, n_missions, n_segments)
    command: dict[str, Any] = {
        "transactions": baskets.source,
        "items": baskets.items_source,
        "where": where,
        "value": value,
        "shared_baskets": shared_baskets,
        "min_support": min_support,
        "rare": rare,
        "top_items": top_items,
        "level": level,
        **numbers,
        "criterion": criterion,
        "test_fraction": test_fraction,
        "random_state": seed,
        "previous": None if previous is None else str(previous),
        "bootstrap": n_replicates,
        "rivals": bool(rivals),
        "anonymous": bool(anonymous),
    }
    if inference is not None:
        command |= {"bayes": True, **{f"max_{noun}": number for noun, number in inference.most.items()}}
    job = Job(
        baskets,
        n_train,
        criterion,
        seed,
        n_replicates,
        bool(rivals),
        bool(anonymous),
        before,
        earlier,
        report,
        inference,
    )
    found = _learn(job, command)
    if target is not None:
        found = write_results(found, target, csv=csv, overwrite=overwrite, report=report)
    _warn(found)
    return found


def _learn(job: Job, command: dict[str, Any]) -> Segmentation:
    """Both levels, each learnt, checked and told."""
    from mixtura import __version__

    level, baskets = command["level"], job.baskets
    notes = [] if job.earlier is None else [*job.earlier.notes]
    if job.previous is not None:
        notes += _compatible(job.previous, baskets, level)
    begun = clock.perf_counter()
    missions = totals = None
    if level != "customers":
        missions = find_missions(job, command["n_missions"])
        notes += household_notes(baskets, job.n_train, missions)
        totals = mission_totals(missions.household, baskets, job.n_train)
        command["seconds_missions"] = clock.perf_counter() - begun
    begun = clock.perf_counter()
    customers = None
    if level != "baskets":
        customers = segments_of_customers(job, command["n_segments"], missions, totals)
        command["seconds_segments"] = clock.perf_counter() - begun
    interrupted = any(fit is not None and fit.interrupted for fit in (missions, customers))
    if interrupted:
        notes.append("The run was interrupted; these are the results so far.")
    notes += [
        f"The {guess.role.replace('_', ' ')} column was guessed: {guess.name}."
        for guess in baskets.columns.values()
        if guess.guessed
    ]
    begun = clock.perf_counter()
    head = header(baskets, job.n_train, command=command, version=__version__, notes=notes)
    told = segments = None
    if interrupted:  # who ends the search does not wait for the checks
        job = replace(job, bootstrap=0, rivals=False)
    with catch_interrupt() as checks:
        if missions is not None and totals is not None:
            told = tell_missions(job, missions, totals, head)
        if customers is not None:
            if told is not None:  # the columns of the segments are the missions, which have names now
                customers = replace(customers, features=[mission["name"] for mission in told["missions"]])
            segments = tell_segments(job, customers, missions, head)
    job.report("trust", 1, 1, "done")
    for content in (told, segments):
        if content is not None:
            content["command"]["seconds_checks"] = clock.perf_counter() - begun
            if checks.pressed:
                content["notes"].append(CHECKS_CUT)
    return Segmentation(told, segments, missions, customers, baskets, None, interrupted or checks.pressed)


def _compatible(previous: Previous, baskets: Baskets, level: str) -> list[str]:
    """Refuse earlier results that this run cannot go on from, and say what differs."""
    return [
        *previous.notes,
        *check_compatible(
            previous,
            categories=[str(name) for name in baskets.categories],
            value=baskets.value,
            where=baskets.where,
            items_source=baskets.items_source,
            category_column=baskets.columns["category"].name,
            over=None if level == "baskets" else "categories" if level == "customers" else "missions",
            levels=[
                name
                for name, without in (("missions", "customers"), ("segments", "baskets"))
                if level != without
            ],
        ),
    ]


def _warn(found: Segmentation) -> None:
    """What a reader of the results should hear at once."""
    sentences = [part["choice"]["sentence"] for part in (found.missions, found.segments) if part is not None]
    if found.interrupted:
        message = f"Interrupted: {'; '.join(sentences)}. Run again for the whole search and all checks."
        warnings.warn(message, InterruptedWarning, stacklevel=3)
        return
    for part, level in ((found.missions, MISSIONS), (found.segments, SEGMENTS)):
        if part is not None and part["choice"]["at_edge"]:
            other = "Allow more" if "bayes" in part else "Try other numbers"
            option = f"max_{level.noun}" if "bayes" in part else level.option
            message = f"{part['choice']['sentence']}. {other} ({option})."
            warnings.warn(message, EdgeOfRangeWarning, stacklevel=3)


def _check_level(level: str, n_missions: object, n_segments: object) -> None:
    """Refuse an unknown level, and a number for what is not looked for."""
    if level not in LEVELS:
        message = (
            f"level={level!r} is not known. Expected 'baskets' for missions alone, 'customers' for segments directly "
            "over what customers buy, or 'both'."
        )
        raise InvalidParameterError(message)
    for name, number, without in (
        ("n_missions", n_missions, "customers"),
        ("n_segments", n_segments, "baskets"),
    ):
        if number is not None and level == without:
            message = (
                f"{name}: found {number!r} with level={level!r}, which looks for none. Expected level='both'; "
                f"leave {name} out, or look for both."
            )
            raise InvalidParameterError(message)


def _numbers(customers: np.ndarray, level: str, n_missions: Any, n_segments: Any) -> dict[str, Any]:
    """The numbers asked for, or an error before the work begins."""
    n_customers = len(np.unique(customers))
    if level != "baskets":
        refuse_few_customers(n_customers)
    return {
        "n_missions": None if n_missions is None else schedule(n_missions, len(customers), MISSIONS),
        "n_segments": None if n_segments is None else schedule(n_segments, n_customers, SEGMENTS),
    }
