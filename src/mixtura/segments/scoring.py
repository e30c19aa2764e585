"""New transactions under a model that was fitted earlier."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.exceptions import InvalidDataError, InvalidParameterError, ModelFileError, OutputError
from mixtura.models import DirichletMultinomialMixture, GroupedMultinomialMixture, load
from mixtura.segments import output, tables
from mixtura.segments.baskets import Baskets
from mixtura.segments.levels import KnownCategories
from mixtura.segments.opening import MODEL, SEGMENT_MODEL, open_model
from mixtura.segments.transactions import read_baskets

__all__ = ["Scores", "score_transactions"]

ROLES = ("customer", "basket", "item", "category", "time", "quantity", "amount", "price", "item_key")


@dataclass(frozen=True)
class Scores:
    """New baskets and their missions.

    Parameters
    ----------
    baskets : Baskets
        The new baskets, with the model's categories.
    table : dict of str to ndarray
        One entry per basket: basket, customer, time, known_customer, mission, probability, log_likelihood.
    names : dict of int to str
        Names of the missions by number; empty without missions.json beside the model.
    folder : Path or None
        Where the model's other results lie.
    customers : dict of str to ndarray, or None
        One entry per customer: customer, n_baskets, segment, segment_name, segment_probability; None where the
        folder has no segments.
    """

    baskets: Baskets
    table: dict[str, np.ndarray]
    names: dict[int, str]
    folder: Path | None
    customers: dict[str, np.ndarray] | None = None

    def summary(self) -> list[str]:
        """What was scored, for people.

        Returns
        -------
        list of str
            Sentences, then one line per mission that occurs, the most frequent first.
        """
        sentences = self.baskets.describe()
        if "mission" in self.table:
            known = self.table["known_customer"]
            new_customers = len(np.unique(self.baskets.customers[~known]))
            sentences.append(f"Mean log-likelihood per basket: {self.table['log_likelihood'].mean():.3f}.")
            sentences.append(
                f"{int((~known).sum()):,} baskets are of {new_customers:,} customers that the model does not "
                f"know; they have the population's weights."
            )
            for number, part in _shares(self.table["mission"]):
                name = f": {self.names[number]}" if self.names else ""
                sentences.append(f"Mission {number}{name} ({part:.1%} of baskets)")
        if self.customers is not None:
            names = dict(zip(self.customers["segment"], self.customers["segment_name"], strict=True))
            sentences += [
                f"Segment {number}: {names[number]} ({part:.1%} of customers)"
                for number, part in _shares(self.customers["segment"])
            ]
        return sentences


def _shares(numbers: np.ndarray) -> list[tuple[int, float]]:
    """Numbers that occur and their shares, the most frequent first."""
    found, counts = np.unique(numbers, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(int(found[i]), float(counts[i] / len(numbers))) for i in order]


def score_transactions(
    model: str | PathLike[str],
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
    value: str | None = None,
    shared_baskets: str = "error",
    memory_limit: str | None = None,
    threads: int | None = None,
    out: str | PathLike[str] | None = None,
    out_customers: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> Scores:
    """Missions and log-likelihoods of new baskets, and segments of their customers.

    What is not given (columns, filter, what is counted) is as in the run that made the model, if its folder
    is still whole; categories that the model does not know are counted in "(other)" where rare ones were, and
    otherwise left out.

    Parameters
    ----------
    model : path
        A model file of `segment_transactions`, or its folder.
    transactions, items, customer, basket, item, category, time, quantity, amount, price, item_key, where, \
value, shared_baskets, memory_limit, threads
        As for `segment_transactions`.
    out : path, optional
        File for one row per basket: ``.parquet`` or ``.csv``.
    out_customers : path, optional
        File for one row per customer, with the segment that these baskets alone speak for.
    overwrite : bool, default False
        Whether `out` may exist.

    Returns
    -------
    Scores
        One entry per new basket.

    Raises
    ------
    ModelFileError
        If `model` is not a household mixture with known categories.
    InvalidDataError, ColumnNotFoundError, InvalidParameterError
        As for `segment_transactions`.
    OutputError
        If `out` exists or cannot be written.

    Examples
    --------
    >>> import pandas
    >>> from mixtura.segments import segment_transactions
    >>> lines = pandas.DataFrame({
    ...     "customer": ["Ann", "Bob"] * 40,
    ...     "basket": [number // 4 * 2 + number % 2 for number in range(80)],
    ...     "category": ["milk", "beer", "bread", "crisps"] * 20,
    ...     "day": [number // 4 for number in range(80)],
    ... })
    >>> folder = segment_transactions(lines, n_missions=2, out="shop").folder
    >>> scores = score_transactions(folder, lines[:4])
    >>> scores.table["customer"].tolist(), scores.table["known_customer"].tolist()
    (['Ann', 'Bob'], [True, True])
    """
    fitted, (missions, segments), file = open_model(model)
    header = missions or segments
    categories = getattr(fitted, "feature_names_in_", None)
    over_categories = (
        isinstance(fitted, DirichletMultinomialMixture) and (segments or {}).get("over") == "categories"
    )
    if not (isinstance(fitted, GroupedMultinomialMixture) or over_categories) or categories is None:
        message = (
            f"'{file}' holds a {type(fitted).__name__}{'' if categories is None else ' with column names'}. "
            f"Expected the "
            f"household mixture that `mixtura segment` writes as {MODEL}, or a folder of its results; give that."
        )
        raise ModelFileError(message)
    target = None if out is None else _checked_file(Path(out), overwrite=overwrite)
    second = None if out_customers is None else _checked_file(Path(out_customers), overwrite=overwrite)
    if second is not None and target is not None and second.resolve() == target.resolve():
        message = (
            f"out and out_customers are both '{target}'. Expected two files, one row per basket and one row per "
            "customer; give them different names."
        )
        raise InvalidParameterError(message)
    if second is not None and segments is None:
        message = (
            f"out_customers: '{file}' comes without segments of customers. Expected a folder of results with "
            "segments.json; leave out_customers out, or run `mixtura segment` with --level both."
        )
        raise InvalidParameterError(message)
    asked = (customer, basket, item, category, time, quantity, amount, price, item_key)
    given: dict[str, Any] = dict(zip(ROLES, asked, strict=True))
    command = (header or {}).get("command", {})
    value = command.get("value") or "lines" if value is None else value
    if header is not None:
        given = _as_before(given, header, value, with_items=items is not None)
    stored = (header or {}).get("data", {}).get("item_levels")
    baskets = read_baskets(
        transactions,
        items,
        **given,
        where=where if where is not None else command.get("where"),
        value=value,
        shared_baskets=shared_baskets,
        categories=KnownCategories.of_results([str(name) for name in categories], stored),
        memory_limit=memory_limit,
        threads=threads,
    )
    grouped = fitted if isinstance(fitted, GroupedMultinomialMixture) else None
    with _names_not_needed():
        table = tables.basket_table(grouped, _numbers(fitted, missions), baskets, 0)
        customers = None if segments is None else _segments(file.parent, segments, grouped, baskets)
    del table["part"]
    if grouped is not None:
        table["known_customer"] = np.isin(baskets.customers, grouped.groups_)
    names = {} if missions is None else {entry["number"]: entry["name"] for entry in missions["missions"]}
    scores = Scores(baskets, table, names, None if header is None else file.parent, customers)
    if target is not None:
        output.write_file(table, target)
    if second is not None and customers is not None:
        output.write_file(customers, second)
    return scores


def _numbers(model: Any, missions: dict[str, Any] | None) -> np.ndarray:
    """Numbers of the missions in the order of the components; after a refresh they may have gaps."""
    if missions is None:
        return np.arange(1, len(model.weights_) + 1)
    return np.array([entry["number"] for entry in missions["missions"]])


def _segments(
    folder: Path, segments: dict[str, Any], grouped: Any, baskets: Baskets
) -> dict[str, np.ndarray] | None:
    """Segment of every customer by these baskets alone."""
    file = folder / SEGMENT_MODEL
    if not file.is_file():
        return None
    model = load(file)
    customers, index = np.unique(baskets.customers, return_inverse=True)
    if segments["over"] == "missions":
        if grouped is None:
            return None
        counts = sum(
            tables.per_customer(
                grouped.predict_proba(baskets.counts[rows], groups=baskets.customers[rows]),
                index[rows],
                len(customers),
            )
            for rows in tables.chunks(baskets.n_baskets)
        )
    else:
        counts = tables.per_customer(baskets.counts, index, len(customers))
    resp = model.predict_proba(counts)
    best = resp.argmax(axis=1)
    entries = segments["segments"]
    return {
        "customer": customers,
        "n_baskets": np.bincount(index, minlength=len(customers)),
        "segment": np.array([entry["number"] for entry in entries])[best],
        "segment_name": np.array([entry["name"] for entry in entries])[best],
        "segment_probability": resp.max(axis=1),
    }


def _checked_file(target: Path, *, overwrite: bool) -> Path:
    if target.suffix.lower() not in {".parquet", ".csv"}:
        message = (
            f"the output '{target}' ends in '{target.suffix}'. Expected .parquet or .csv; choose another "
            f"name."
        )
        raise InvalidParameterError(message)
    if target.exists() and not overwrite:
        message = (
            f"the output file '{target}' exists. Expected a new name; choose another one, or allow to "
            f"replace it "
            "(overwrite=True, --overwrite)."
        )
        raise OutputError(message)
    return target


def _as_before(
    given: dict[str, Any], missions: dict[str, Any], value: str, *, with_items: bool
) -> dict[str, Any]:
    """Column names of the earlier run where the user gives none."""
    earlier = missions.get("columns", {})
    if earlier.get("item_key") and not with_items:
        if given["category"] is None:
            message = (
                "the model was made with an item table, which holds the categories. Expected the item table "
                "here too "
                "(items, --items), or the name of a category column in the transactions (category, "
                "--category)."
            )
            raise InvalidDataError(message)
        earlier = {role: entry for role, entry in earlier.items() if entry.get("table") != "items"}
        earlier.pop("item", None)
    before: dict[str, Any] = {
        role: f"{entry.get('table', 'transactions')}.{entry['name']}" for role, entry in earlier.items()
    }
    levels = [name for role, name in before.items() if role.partition("_")[0] == "category"]
    before["category"] = levels if len(levels) > 1 else before.get("category")
    if value != "amount" or given["amount"] or given["price"]:  # not needed, or named another way
        before |= {"amount": None, "price": None}
    return {role: before.get(role) if name is None else name for role, name in given.items()}


@contextmanager
def _names_not_needed() -> Iterator[None]:
    """The counts come in the order of the model's categories, though without names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        yield
