"""What is put in the place of maximum likelihood: components and a structure with priors, for the same driver and update.

The three ways are objects that turn one learning problem into another; nothing else in the library knows which one was taken.
Structures that have priors of their own say so: ``variational(prior, counts, learn=)`` and ``penalized(prior)`` return the same
law of the states with posterior laws, or on its way to the mode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from mixtura.components import hooks
from mixtura.exceptions import InvalidParameterError
from mixtura.inference.problem import Problem
from mixtura.priors import DirichletPrior, PitmanYorPrior, Prior
from mixtura.protocols import Array
from mixtura.statistics import Statistics, total
from mixtura.structures import DirichletMode, DirichletWeights, LatentMixture, StickBreaking

__all__ = [
    "INFERENCES",
    "Likelihood",
    "PosteriorMode",
    "Treatment",
    "Variational",
    "absorbed",
    "overall",
    "treatment",
]


class Treatment(Protocol):
    """How parameters are treated."""

    @property
    def has_laws(self) -> bool:
        """Whether parameters have posterior laws, so that a bound says which of two models is better."""
        ...

    def __call__(self, problem: Problem) -> Problem:
        """The problem with priors."""
        ...

    def start(self, problem: Problem, model: LatentMixture) -> LatentMixture:
        """A given model as a start of the problem with priors."""
        ...


@dataclass(frozen=True)
class Likelihood:
    """Maximum likelihood: no priors."""

    has_laws = False

    def __call__(self, problem: Problem) -> Problem:
        """The problem as it is."""
        return problem

    def start(self, problem: Problem, model: LatentMixture) -> LatentMixture:
        """The model, without the laws that parameters of a Bayesian fit have."""
        return model.point


class _WithPriors:
    """What the other two share."""

    has_laws = False

    def start(self, problem: Problem, model: LatentMixture) -> LatentMixture:
        """The first step from the model's responsibilities."""
        return absorbed(problem, model)


@dataclass(frozen=True)
class Variational(_WithPriors):
    """Posterior laws of all parameters.

    Parameters
    ----------
    prior : Prior, mapping of Prior, or None
        Of the components' parameters; None is a weak default made from all rows.
    weights : DirichletPrior, PitmanYorPrior (or DirichletProcessPrior), ChainPrior, or None
        Of the weights, or of a Markov chain; None is `DirichletPrior(1 / K)`, under which superfluous components lose their rows.
    learn : bool or {"all", "weights", "components"}, default False
        Which hyper-parameters are learnt by raising the bound: those of the weights' prior, of the components' prior, or (True) all.

    Raises
    ------
    InvalidParameterError
        If `learn` is something else.
    """

    has_laws = True

    prior: Any = None
    weights: Prior | None = None
    learn: bool | str = False

    def __post_init__(self) -> None:
        if not isinstance(self.learn, bool | np.bool_) and self.learn not in LEARNT:
            msg = f"empirical_bayes is {self.learn!r}; expected False, True or one of {', '.join(map(repr, LEARNT))}."
            raise InvalidParameterError(msg)

    def _learns(self, what: str) -> bool:
        return self.learn is not False and (self.learn in (True, "all") or self.learn == what)

    def __call__(self, problem: Problem) -> Problem:
        """The problem whose components and weights have posterior laws."""
        components = hooks.variational(
            problem.components, self.prior, overall(problem), problem.encoding.origin
        )
        components = hooks.learning(components) if self._learns("components") else components
        return replace(problem, components=components, structure=self.structure(problem))

    def structure(self, problem: Problem) -> Callable[[Array], Any]:
        """What makes a law of the weights of counts."""
        make: Callable[[Array], Any] = problem.structure
        learn = self._learns("weights")
        if hasattr(make(np.ones(problem.n_components)), "variational"):
            return lambda counts: make(counts).variational(self.weights, counts, learn=learn)
        weights = DirichletPrior(1.0 / problem.n_components) if self.weights is None else self.weights
        if isinstance(weights, PitmanYorPrior):
            process = weights
            return lambda counts: StickBreaking(
                len(counts), process.concentration, process.discount, learn=learn
            ).maximize(Statistics({"count": np.asarray(counts, dtype=np.float64)}))
        prior = _symmetric(weights, problem.n_components)
        return lambda counts: DirichletWeights(prior(len(counts)), learn=learn).maximize(
            Statistics({"count": np.asarray(counts, dtype=np.float64)})
        )


@dataclass(frozen=True)
class PosteriorMode(_WithPriors):
    """The mode of the posterior density of the usual parameters (MAP).

    Parameters
    ----------
    prior : Prior, mapping of Prior, or None
        As for `Variational`.
    weights : DirichletPrior, ChainPrior or None
        Of the weights, or of a Markov chain; None is flat.
    """

    prior: Any = None
    weights: Prior | None = None

    def __call__(self, problem: Problem) -> Problem:
        """The problem whose components and weights go to the mode."""
        components = hooks.penalized(
            problem.components, self.prior, overall(problem), problem.encoding.origin
        )
        return replace(problem, components=components, structure=self.structure(problem))

    def structure(self, problem: Problem) -> Callable[[Array], Any]:
        """What makes weights of counts."""
        make: Callable[[Array], Any] = problem.structure
        if hasattr(make(np.ones(problem.n_components)), "penalized"):
            return lambda counts: make(counts).penalized(self.weights)
        if isinstance(self.weights, PitmanYorPrior):
            msg = (
                f"weights_prior is {self.weights!r}; expected a DirichletPrior for inference='map'. The mode of broken sticks depends on "
                "how they are broken; use inference='variational'."
            )
            raise InvalidParameterError(msg)
        weights = DirichletPrior(1.0) if self.weights is None else self.weights
        prior = _symmetric(weights, problem.n_components)
        return lambda counts: DirichletMode(prior(len(counts))).maximize(
            Statistics({"count": np.maximum(counts, 1e-300)})
        )


INFERENCES = ("em", "map", "variational")


def treatment(
    inference: str | None, prior: Any, weights: Prior | None, learn: bool | str = False
) -> Treatment:
    """How parameters are treated: what the settings of an estimator say.

    Parameters
    ----------
    inference : {"em", "map", "variational"} or None
        None is "variational" where a prior is given or to be learnt, else "em".
    prior, weights, learn
        As for `Variational`.

    Raises
    ------
    InvalidParameterError
        If they contradict each other.

    Examples
    --------
    >>> treatment(None, None, DirichletPrior(1.0))
    Variational(prior=None, weights=DirichletPrior(concentration=1.0), learn=False)
    """
    given, learns = prior is not None or weights is not None, learn is not False
    kind = ("variational" if given or learns else "em") if inference is None else inference
    if kind == "em" and (given or learns):
        found = "a prior is given" if given else f"empirical_bayes is {learn!r}"
        msg = f"inference is 'em', but {found}; expected 'variational' (or 'map' with a prior), or neither."
        raise InvalidParameterError(msg)
    if kind == "map" and learns:
        msg = (
            f"inference is 'map', but empirical_bayes is {learn!r}; expected False: a prior learnt at the mode narrows for ever. Use "
            "inference='variational'."
        )
        raise InvalidParameterError(msg)
    makers: dict[str, Callable[[], Treatment]] = {
        "em": Likelihood,
        "map": lambda: PosteriorMode(prior, weights),
        "variational": lambda: Variational(prior, weights, learn),
    }
    return makers[kind]()


# What empirical Bayes may be of; True is all.
LEARNT = ("all", "weights", "components")


def _symmetric(weights: Prior, n_components: int) -> Callable[[int], Array]:
    """Pseudo-counts of so many weights."""
    if not isinstance(weights, DirichletPrior):
        msg = f"weights_prior is {weights!r}; expected a DirichletPrior, DirichletProcessPrior or PitmanYorPrior, or None."
        raise InvalidParameterError(msg)
    given = weights.checked(n_components)

    def of(size: int) -> Array:
        return given if size == n_components else np.full(size, given.mean())

    return of


def overall(problem: Problem) -> Statistics:
    """Sums of all rows as one component: what default priors are made from."""
    component: Any = problem.components
    component = component if hooks.is_blank(component) else component.take([0])
    parts = (
        component.expected_statistics(
            component.encode(batch.x, problem.encoding),
            np.asarray(batch.sample_weight[None], dtype=np.float64),
        )
        for batch in problem.source()
    )
    return total(parts)


def absorbed(problem: Problem, model: LatentMixture) -> LatentMixture:
    """A start of a problem with priors from a model without: its responsibilities, then one step of the problem's own.

    Parameters
    ----------
    problem : Problem
        With priors.
    model : LatentMixture
        Of the same rows and encoding, without.
    """
    stats = total(model.summarize(batch, {}) for batch in problem.source())
    blank = LatentMixture(
        problem.components, problem.structure(np.ones(model.n_components)), problem.encoding
    )
    return blank.maximize(stats)
