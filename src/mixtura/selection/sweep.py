"""A sweep over K (and covariance type, number of factors), every fit started afresh and from the nested smaller model.

Long, because what every setting of `select` means is documented beside it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from scipy.special import gammaln
from sklearn.base import clone

from mixtura.exceptions import (
    ConvergenceWarning,
    DegeneracyWarning,
    DegenerateComponentError,
    EdgeOfRangeWarning,
    InterruptedWarning,
    InvalidParameterError,
    StartsDisagreeWarning,
    did_you_mean,
)
from mixtura.inference import criteria
from mixtura.inference.stopping import Reason, catch_interrupt
from mixtura.models._base import BaseMixture
from mixtura.selection.selection import Selection
from mixtura.selection.variants import VARIED, Variant, variants

__all__ = ["CRITERIA", "select"]

CRITERIA = ("bic", "aic", "icl", "held_out", "lower_bound")
# Criteria of which more is better.
_HIGHER = ("held_out", "lower_bound")
_FRESH_UP_TO = (
    12  # above, the nested start alone is used: it wins there, and screening costs more than the fit
)


def select(
    estimator: Any,
    X: Any,
    *,
    n_components: Iterable[int] = range(1, 10),
    covariance_type: Sequence[str] | None = None,
    n_factors: Iterable[int] | None = None,
    criterion: str = "bic",
    groups: Any = None,
    sample_weight: Any = None,
    weight_type: str = "frequency",
    validation: Any = None,
    patience: int | None = None,
    progress: bool = False,
    **given: Any,
) -> Selection:
    """Fit a mixture or a chain for every K (and covariance type, or number of factors) and choose by a criterion.

    Every K starts afresh and from the nested smaller model with its largest components split; the better one stays.
    A covariance type also starts from the fits of the types nested in it (EVE from EEE and EVI, say), which are therefore
    fitted first, so that no type ends below a special case of it; so does a number of factors from the fits of fewer.

    Parameters
    ----------
    estimator : estimator
        A mixture or a hidden Markov model of this library with everything but K set; it is not changed.
    X : array_like, CSR matrix or data frame
        The rows.
    n_components : iterable of int, default 1 to 9
        Values of K, tried in ascending order.
    covariance_type : sequence of str, optional
        Covariance types to try as well, scikit-learn's names or mclust's codes; None keeps the estimator's.
    n_factors : iterable of int, optional
        Numbers of factors to try as well (`FactorAnalyzerMixture`); None keeps the estimator's.
    criterion : {"bic", "aic", "icl", "held_out", "lower_bound"}, default "bic"
        The first three: lower is better. "held_out": mean log-likelihood per row of `validation`, higher is better.
        "lower_bound": bound of the log evidence of a mixture with posterior laws, higher is better; differences are logarithms of
        Bayes factors (docs/bayesian.md). Where components can be renumbered it counts all numberings ([1]_, section 10.2.4). Under a
        process, whose number of components is infinite, K is a truncation, and more is never worse: fit it with one K that is ample.
    groups : array_like, optional
        Labels of the rows' groups, for `GroupedMultinomialMixture`.
    sample_weight : array_like, optional
        Weights of the rows.
    weight_type : {"frequency", "probability"}, default "frequency"
        Whether a weight says how often a row was seen, or is one over its probability of selection; the latter are scaled to
        sum to the number of rows with positive weight, for the fits and for the criteria.
    validation : array_like, optional
        Rows kept out of the fits, scored for the column ``held_out``; or a mapping of all that `score` takes, such as
        ``{"X": X, "y": y}`` (of chains the total of all steps); or, for chains, :class:`SequenceFolds`, which leaves sequences out in
        turn.
    patience : int, optional
        Stop after so many values of K in a row without a better criterion. None tries all.
    progress : bool, default False
        Show a progress bar on standard error.
    **given
        What else belongs to the rows and `fit` takes by name, such as ``y=`` and ``concomitants=`` of a `RegressionMixture`, or
        ``lengths=`` of an `HMM`.

    Returns
    -------
    Selection
        Table, choice and fitted models.

    Raises
    ------
    InvalidParameterError
        If the criterion is unknown, K is missing, "held_out" lacks validation rows, or "lower_bound" posterior laws.

    References
    ----------
    .. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(c, 1, (100, 1)) for c in (0, 10)])
    >>> select(GaussianMixture(random_state=0), X, n_components=[1, 2, 3]).chosen["n_components"]
    2
    """
    values = sorted({int(k) for k in n_components})
    if criterion not in CRITERIA:
        msg = f"criterion is {criterion!r}, which is not one of the choices. {did_you_mean(str(criterion), CRITERIA)}"
        raise InvalidParameterError(msg)
    if not values or values[0] < 1:
        msg = f"n_components is {list(values)}; expected at least one number of components, each at least 1."
        raise InvalidParameterError(msg)
    if criterion == "held_out" and validation is None:
        msg = "criterion='held_out' needs rows that the fits do not see: give them as validation=."
        raise InvalidParameterError(msg)
    weight = estimator._meant(X, sample_weight, weight_type)
    beside = {**given, "groups": groups, "sample_weight": weight}
    fit_arguments = {name: value for name, value in beside.items() if value is not None}
    factors = None if n_factors is None else sorted({int(q) for q in n_factors})
    varied = {"covariance_type": covariance_type, "n_factors": factors}
    strange = [
        name for name, given in varied.items() if given is not None and name not in estimator.get_params()
    ]
    if strange:
        msg = (
            f"{type(estimator).__name__} has no {strange[0]} that a sweep could vary; expected an estimator with this setting "
            "(GaussianMixture, StudentTMixture, FactorAnalyzerMixture), or a sweep over n_components alone."
        )
        raise InvalidParameterError(msg)
    kinds = variants(varied)
    found: dict[Variant, list[tuple[Any, dict[str, Any]]]] = {kind: [] for kind in kinds}
    with catch_interrupt() as interruption, _bar(len(values) * len(kinds), show=progress) as bar:
        # Special cases first.
        for kind in sorted(kinds, key=lambda kind: sum(one.inside(kind) for one in kinds)):
            previous, best, misses = None, np.inf, 0
            for k in values:
                bar.update(TaskID(0), description=f"K = {k}" + (f", {kind}" if kind.settings else ""))
                starts = _starts(k, kind, previous, found)
                previous, row = _one(estimator, X, k, kind, starts, fit_arguments, validation)
                bar.advance(TaskID(0))
                if previous is None:
                    break
                found[kind].append((previous, row))
                value = _signed(row, criterion)
                misses = 0 if value < best else misses + 1
                best = min(best, value)
                if interruption.pressed or (patience is not None and misses >= patience):
                    break
            if interruption.pressed:
                break
        interrupted = interruption.pressed
    pairs = [pair for kind in found for pair in found[kind]]
    rows, fitted = [row for _, row in pairs], [model for model, _ in pairs]
    return _choose(rows, fitted, criterion, interrupted=interrupted)


def _signed(row: Mapping[str, Any], criterion: str) -> float:
    """The criterion such that less is better."""
    value = row[criterion]
    if value is None:
        msg = (
            f"criterion='{criterion}', but the mixture was fitted without posterior laws; expected inference='variational' (or "
            "BayesianGaussianMixture), or another criterion."
        )
        raise InvalidParameterError(msg)
    return float(-value if criterion in _HIGHER else value)


def _choose(rows: list[dict[str, Any]], fitted: list[Any], criterion: str, *, interrupted: bool) -> Selection:
    if not rows:
        msg = "No model could be fitted: every number of components that was tried collapsed. Use fewer components or a larger reg_covar."
        raise DegenerateComponentError([]) from InvalidParameterError(msg)
    signed = [_signed(row, criterion) for row in rows]
    best = int(np.argmin(signed))
    rows[best]["chosen"] = True
    tried = sorted({row["n_components"] for row in rows})
    k = rows[best]["n_components"]
    at_edge = len(tried) > 1 and (k == tried[-1] or (k == tried[0] and k > 1))
    if interrupted:
        warnings.warn(
            f"The sweep was interrupted after K = {tried[-1]}; the choice is among the {len(rows)} models fitted so far.",
            InterruptedWarning,
            stacklevel=3,
        )
    if at_edge:
        warnings.warn(
            f"{criterion} is best at K = {k}, the edge of the values tried ({tried[0]} to {tried[-1]}); a better K may lie outside. "
            "Widen n_components.",
            EdgeOfRangeWarning,
            stacklevel=3,
        )
    return Selection(rows, criterion, fitted[best], at_edge, interrupted, fitted)


def _starts(
    k: int,
    kind: Variant,
    previous: Any,
    found: Mapping[Variant, Sequence[tuple[Any, Mapping[str, Any]]]],
) -> dict[str, Any]:
    """Starts by name: None for a fresh one, or a fitted model.

    Besides the fit of fewer components, those of the largest variants nested in this one.
    """
    starts = {"fresh": None} if k <= _FRESH_UP_TO or previous is None else {}
    if previous is not None:
        starts["nested"] = previous
    fits = {
        other: model for other, pairs in found.items() for model, row in pairs if row["n_components"] == k
    }
    return starts | {f"nested {other}": fits[other] for other in kind.largest_inside(list(fits))}


def _one(
    estimator: Any,
    X: Any,
    k: int,
    kind: Variant,
    starts: Mapping[str, Any],
    fit_arguments: dict[str, Any],
    validation: Any,
) -> tuple[Any, dict[str, Any]]:
    """The best of a fresh fit and those from nested models, and its row of the table."""
    begun = time.monotonic()
    candidates = []
    original = estimator.init_params
    for start, given in starts.items():
        model = clone(estimator).set_params(n_components=k, **dict(kind.settings))
        if given is not None:
            model.init_params = given
        with warnings.catch_warnings():
            for category in (
                ConvergenceWarning,
                StartsDisagreeWarning,
                DegeneracyWarning,
                InterruptedWarning,
            ):
                warnings.simplefilter("ignore", category)  # all of it is in the table
            try:
                model.fit(X, **fit_arguments)
            except DegenerateComponentError:
                continue
        model.init_params = original
        candidates.append((model, start))
    if not candidates:
        return None, {}
    model, start = max(candidates, key=lambda pair: (not _suspects(pair[0]), pair[0].lower_bound_))
    return model, _row(model, start, candidates, X, fit_arguments, validation, time.monotonic() - begun)


def _suspects(model: BaseMixture) -> bool:
    return bool(model.starts_[model.best_start_].suspects)


def _row(
    model: Any,
    start: str,
    candidates: list[tuple[Any, str]],
    X: Any,
    fit_arguments: dict[str, Any],
    validation: Any,
    seconds: float,
) -> dict[str, Any]:
    units = {name: value for name, value in fit_arguments.items() if name not in ("sample_weight", "labels")}
    log_likelihood, n_units, certainty = model._totals(X, fit_arguments.get("sample_weight"), **units)
    n_parameters = model.n_parameters()
    ended = [
        result.objective
        for candidate, _ in candidates
        for result in candidate.starts_
        if result.reason not in (Reason.SCREENED, Reason.DEGENERATE, Reason.STOPPED)
    ]
    return {
        "n_components": model.n_components_,
        **{name: getattr(model, name, None) for name in VARIED},
        "log_likelihood": log_likelihood,
        "bic": criteria.bic(log_likelihood, n_parameters, n_units),
        "aic": criteria.aic(log_likelihood, n_parameters),
        "icl": criteria.icl(log_likelihood, n_parameters, n_units, certainty),
        "held_out": None if validation is None else _scored(model, validation, X, fit_arguments),
        "lower_bound": _bound(model),
        "n_parameters": n_parameters,
        "n_iter": model.n_iter_,
        "reason": model.stop_reason_,
        "converged": model.converged_,
        "seconds": seconds,
        "starts": ended,
        "started": start,
        "chosen": False,
    }


def _bound(model: Any) -> float | None:
    """Bound of the log evidence over all numberings of the components that hold rows; None without posterior laws."""
    law = model._model()
    if not hasattr(law.components, "draw"):
        return None
    own = float(model.lower_bound_ * model.total_weight_)
    if not getattr(law.structure, "exchangeable", True):
        return own
    size = model.n_components_
    used = int(np.count_nonzero(np.asarray(model.weights_) * model.total_weight_ >= 1.0))
    return own + float(gammaln(size + 1) - gammaln(size - used + 1))


def _scored(model: Any, validation: Any, X: Any, fit_arguments: Mapping[str, Any]) -> float:
    """Log-likelihood of rows kept out: given ones, or those that folds leave out."""
    if hasattr(validation, "held_out"):
        return float(validation.held_out(model, X, fit_arguments))
    return float(model.score(**validation) if isinstance(validation, Mapping) else model.score(validation))


def _bar(total: int, *, show: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not show)
    bar.add_task("", total=total)
    return bar
