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
from mixtura.models import GroupedMultinomialMixture, load
from mixtura.segments import output, tables
from mixtura.segments.baskets import Baskets
from mixtura.segments.levels import KnownCategories
from mixtura.segments.transactions import read_baskets

__all__ = ["Scores", "describe_model", "open_model", "score_transactions"]

MODEL = "model.mixtura"
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
    """

    baskets: Baskets
    table: dict[str, np.ndarray]
    names: dict[int, str]
    folder: Path | None

    def summary(self) -> list[str]:
        """What was scored, for people.

        Returns
        -------
        list of str
            Sentences, then one line per mission that occurs, the most frequent first.
        """
        known = self.table["known_customer"]
        new_customers = len(np.unique(self.baskets.customers[~known]))
        new = (
            f"{int((~known).sum()):,} baskets are of {new_customers:,} customers that the model does not "
            f"know; "
            "they have the population's weights."
        )
        fit = f"Mean log-likelihood per basket: {self.table['log_likelihood'].mean():.3f}."
        sentences = [*self.baskets.describe(), fit, new]
        share = np.bincount(self.table["mission"])
        for number in np.argsort(-share, kind="stable"):
            if share[number]:
                name = f": {self.names[number]}" if self.names else ""
                part = share[number] / len(known)
                sentences.append(f"Mission {number}{name} ({part:.1%} of baskets)")
        return sentences


def open_model(path: str | PathLike[str]) -> tuple[Any, dict[str, Any] | None, Path]:
    """Open a model file, or the model in a folder of results.

    Parameters
    ----------
    path : path
        A file ``*.mixtura``, or the folder that `segment_transactions` wrote.

    Returns
    -------
    model : estimator
        Fitted.
    missions : dict or None
        The missions.json beside it.
    file : Path
        The model file.

    Raises
    ------
    ModelFileError
        If there is no such file, or it is not a model.
    """
    file = Path(path)
    if file.is_dir():
        file = file / MODEL
    if not file.is_file():
        message = (
            f"no model '{file}'. Expected a file that ends in .mixtura, or the folder that `mixtura "
            f"segment` wrote; "
            "check the path."
        )
        raise ModelFileError(message)
    model = load(file)
    missions = output.read_results(file.parent)[0] if output.is_results(file.parent) else None
    return model, missions, file


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
    overwrite: bool = False,
) -> Scores:
    """Missions and log-likelihoods of new baskets.

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
    fitted, missions, file = open_model(model)
    categories = getattr(fitted, "feature_names_in_", None)
    if not isinstance(fitted, GroupedMultinomialMixture) or categories is None:
        message = (
            f"'{file}' holds a {type(fitted).__name__}{'' if categories is None else ' with column names'}. "
            f"Expected the "
            f"household mixture that `mixtura segment` writes as {MODEL}; give that file."
        )
        raise ModelFileError(message)
    target = None if out is None else _checked_file(Path(out), overwrite=overwrite)
    asked = (customer, basket, item, category, time, quantity, amount, price, item_key)
    given: dict[str, Any] = dict(zip(ROLES, asked, strict=True))
    command = (missions or {}).get("command", {})
    value = value or command.get("value") or "lines"
    if missions is not None:
        given = _as_before(given, missions, value, with_items=items is not None)
    stored = (missions or {}).get("data", {}).get("item_levels")
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
    known = np.isin(baskets.customers, fitted.groups_)
    with _names_not_needed():
        table = tables.basket_table(fitted, _numbers(fitted, missions), baskets, 0)
    del table["part"]
    table["known_customer"] = known
    names = {} if missions is None else {entry["number"]: entry["name"] for entry in missions["missions"]}
    scores = Scores(baskets, table, names, None if missions is None else file.parent)
    if target is not None:
        output.write_file(table, target)
    return scores


def _numbers(model: Any, missions: dict[str, Any] | None) -> np.ndarray:
    """Numbers of the missions in the order of the components; after a refresh they may have gaps."""
    if missions is None:
        return np.arange(1, len(model.weights_) + 1)
    return np.array([entry["number"] for entry in missions["missions"]])


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
    return {role: name or before.get(role) for role, name in given.items()}


@contextmanager
def _names_not_needed() -> Iterator[None]:
    """The counts come in the order of the model's categories, though without names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        yield


def describe_model(path: str | PathLike[str]) -> list[str]:
    """What is in a model file, for people.

    Parameters
    ----------
    path : path
        A model file of any class, or a folder of results.

    Returns
    -------
    list of str
        Class and size, and what its folder says about the run.

    Raises
    ------
    ModelFileError
        If it is not a model.
    """
    model, missions, file = open_model(path)
    lines = [f"{file}: {type(model).__name__}", *model.summary().splitlines()]
    if missions is not None:
        data = missions["data"]
        lines += [
            f"Made {missions['created']} by mixtura {missions['mixtura_version']} from {data['source']}",
            f"{missions['choice']['sentence']}.",
        ]
        lines += [
            f"Mission {m['number']}: {m['name']} ({m['weight']:.1%} of baskets)" for m in missions["missions"]
        ]
    return lines
