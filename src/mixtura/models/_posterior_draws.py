"""Parameters drawn from posterior or prior laws, as arrays by name, and the two ways to draw them from a posterior."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType
from typing import Any

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import (
    ConvergenceWarning,
    IllConditionedInformationWarning,
    InvalidParameterError,
    did_you_mean,
)
from mixtura.inference.linear_response import LinearResponse
from mixtura.protocols import Array
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture

__all__ = [
    "METHODS",
    "USED",
    "Drawn",
    "Draws",
    "drawn_rows",
    "method_of",
    "prior_draws",
]

# Makes another model of one drawn from the laws.
Drawn = Callable[[LatentMixture], LatentMixture]

# Newton step to the maximum of the bound, in posterior standard deviations, above which the fit is not of these rows.
_AWAY = 0.5
#: Expected rows from which a component counts as used.
USED = 1.0


@dataclass(frozen=True)
class Draws:
    """Parameters of a number of drawn models.

    Parameters
    ----------
    parameters : tuple of Parameter
        Names, and values (K,) of the posterior means.
    mean_weights : ndarray, shape (K,)
        Posterior means of the weights.
    weights : ndarray, shape (n, K)
        Drawn weights.
    values : ndarray, shape (n, R, K)
        Drawn parameters.
    """

    parameters: tuple[hooks.Parameter, ...]
    mean_weights: Array
    weights: Array
    values: Array

    @classmethod
    def of(
        cls,
        point: LatentMixture,
        models: Iterable[LatentMixture],
        parameters: Sequence[hooks.Parameter],
        names: Sequence[str],
    ) -> Draws:
        """The numbers of drawn models.

        Parameters
        ----------
        point : LatentMixture
            Posterior means.
        models : iterable of LatentMixture
            Drawn.
        parameters : sequence of Parameter
            Those of the point, under the names shown.
        names : sequence of str
            Of the columns.
        """
        weights, values = [], []
        for model in models:
            weights.append(_weights(model))
            rows = [row.values for row in hooks.table(model.components, names, model.encoding.origin)]
            values.append(np.array(rows, dtype=np.float64).reshape(-1, point.n_components))
        return cls(tuple(parameters), _weights(point), np.array(weights), np.array(values))

    def columns(self, level: float) -> dict[str, Any]:
        """Columns of a tidy frame: mean of the law, standard deviation, and ends of the equal-tailed intervals."""
        tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
        labels: list[tuple[int, str, str, str]] = [
            (k, "weight", "", "") for k in range(len(self.mean_weights))
        ]
        means, drawn = [self.mean_weights], [self.weights]
        places = {id(row): place for place, row in enumerate(self.parameters)}
        for _, group in groupby(self.parameters, key=lambda row: row.name):
            rows = list(group)
            for k in range(len(self.mean_weights)):
                there = [row for row in rows if not np.isnan(row.values[k])]
                labels += [(k, row.name, row.feature, row.other_feature) for row in there]
                means.append(np.array([row.values[k] for row in there]))
                drawn.append(self.values[:, [places[id(row)] for row in there], k])
        every = np.concatenate(drawn, axis=1)
        lower, upper = np.quantile(every, tails, axis=0)
        names = ("component", "parameter", "feature", "other_feature")
        columns: dict[str, Any] = {name: [row[i] for row in labels] for i, name in enumerate(names)}
        return columns | {
            "value": np.concatenate(means),
            "standard_deviation": every.std(axis=0, ddof=1),
            "lower": lower,
            "upper": upper,
        }

    def arrays(self, n_chains: int) -> tuple[dict[str, Array], dict[str, list[str]]]:
        """Arrays by name, shape (chain, draw, component[, feature[, other feature]]), and the features of each.

        Parameters
        ----------
        n_chains : int
            Into how many chains the draws are dealt.
        """
        found: dict[str, Array] = {"weight": _dealt(self.weights, n_chains)}
        features: dict[str, list[str]] = {"weight": []}
        for name in dict.fromkeys(row.name for row in self.parameters):  # of all blocks of a product
            rows = [(place, row) for place, row in enumerate(self.parameters) if row.name == name]
            columns = list(dict.fromkeys(row.feature for _, row in rows))
            others = list(dict.fromkeys(row.other_feature for _, row in rows))
            if others != [""]:
                columns = list(dict.fromkeys([*columns, *others]))
                table = np.full((len(self.weights), self.weights.shape[1], *(2 * (len(columns),))), np.nan)
                for place, row in rows:
                    i, j = columns.index(row.feature), columns.index(row.other_feature)
                    table[:, :, i, j] = table[:, :, j, i] = self.values[:, place]
            else:
                table = np.moveaxis(self.values[:, [place for place, _ in rows]], 1, 2)
                if columns == [""]:
                    columns, table = [], table[:, :, 0]
            found[name], features[name] = _dealt(table, n_chains), columns
        return found, features


def _dealt(draws: Array, n_chains: int) -> Array:
    return draws.reshape(n_chains, len(draws) // n_chains, *draws.shape[1:])


# --- how parameters are drawn -------------------------------------------------------------------------------------------
def _from_laws(respond: Callable[[], LinearResponse]) -> Drawn:
    """As the variational laws are: labels and parameters independent."""
    return lambda model: model


def _corrected(respond: Callable[[], LinearResponse]) -> Drawn:
    """Stretched to the covariance by linear response."""
    response = respond()
    _remark(response)
    return response.stretch(response.statistics.parts["structure"]["count"] >= USED)


METHODS: Mapping[str, Callable[[Callable[[], LinearResponse]], Drawn]] = MappingProxyType(
    {"corrected": _corrected, "laws": _from_laws}
)


def method_of(name: object) -> Callable[[Callable[[], LinearResponse]], Drawn]:
    """A way to draw by its name.

    Raises
    ------
    InvalidParameterError
        If there is none.
    """
    if name not in METHODS:
        msg = f"method is {name!r}, which is not one of the choices. {did_you_mean(str(name), METHODS)}"
        raise InvalidParameterError(msg)
    return METHODS[str(name)]


def _remark(response: LinearResponse) -> None:
    """Warn of directions that the rows do not tell, and of rows that are not those of the fit."""
    shares = response.untold
    if shares.size:
        warnings.warn(
            f"Along {shares.size} directions nearly all information is missing because labels are not known (a share of "
            f"{shares.max():.4g}; expected less than 0.999): intervals that depend on them are at least as wide as shown. Fit fewer "
            "components, or use method='laws', which takes the labels as known.",
            IllConditionedInformationWarning,
            stacklevel=5,
        )
    if response.away > _AWAY:
        warnings.warn(
            f"The fit lies {response.away:.2g} posterior standard deviations from the maximum of its bound; expected at most {_AWAY}. "
            "Fit with a smaller tol, and give the rows and weights of the fit.",
            ConvergenceWarning,
            stacklevel=5,
        )


# --- other draws --------------------------------------------------------------------------------------------------------
def prior_draws(model: LatentMixture) -> Callable[[np.random.Generator], LatentMixture]:
    """What draws models from the priors of a model with laws; weights that are not learnt stay as they are."""
    # Without rows the posterior is the prior.
    law: Any = model.structure.maximize(Statistics({"count": np.zeros(model.n_components)}))
    components: Any = model.components

    def draw(rng: np.random.Generator) -> LatentMixture:
        drawn = components.prior_draw(model.n_components, rng)
        weights = law.draw(rng) if hasattr(law, "draw") else law
        return replace(model, components=drawn, structure=weights)

    return draw


def drawn_rows(model: LatentMixture, n_rows: int, rng: np.random.Generator) -> Array:
    """Rows of a model without laws, in random order and the units of the data, shape (n, D)."""
    weights = _weights(model)
    counts = rng.multinomial(n_rows, weights / weights.sum())
    rows = [model.components.sample(k, int(n), rng) for k, n in enumerate(counts) if n]
    together = rng.permutation(np.concatenate(rows, axis=0))
    origin = model.encoding.origin
    return together if origin is None else together + origin


def _weights(model: LatentMixture) -> Array:
    structure: Any = model.structure  # Independent
    return np.asarray(structure.weights, dtype=np.float64)
