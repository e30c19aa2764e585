r"""Mixtures of multinomials with weights per group, Bayesian: their number inferred, profiles and weights as posterior laws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import betaincinv
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.components import hooks
from mixtura.exceptions import InvalidParameterError
from mixtura.inference.bayesian import absorbed, overall
from mixtura.inference.driver import FitResult, Progress
from mixtura.inference.fitting import Fitted, Settings, deadline, fit
from mixtura.inference.problem import Problem
from mixtura.inference.reduction import LearntBase, Reduction, Tried, reduced
from mixtura.inference.restarts import StartResult
from mixtura.inference.stopping import Stopping, catch_interrupt
from mixtura.inference.updates import Maximization
from mixtura.models._checked import checked_level
from mixtura.models.grouped_mixture import GroupedMultinomialMixture
from mixtura.priors import DirichletPrior
from mixtura.protocols import Array, Executor
from mixtura.structures import Grouped

__all__ = ["BayesianGroupedMultinomialMixture"]

# The mixture with one set of weights only serves as a start.
_START_TOL, _START_STEPS = 1e-3, 40
# Rows that the population counts for in every group before it is learnt.
_FIRST_CONCENTRATION = 10.0
# Draws by which the chance of being a group's main component is computed.
_DRAWS = 400


class BayesianGroupedMultinomialMixture(GroupedMultinomialMixture):
    """Multinomial mixture with weights per group whose number of components is inferred.

    Profiles have a Dirichlet prior about the shares of all rows; how many lines it counts for is learnt. The fit starts with
    `n_components` components and merges or deletes them while the bound on the log evidence rises. What is left of
    uncertainty is kept: every profile and every group's weights have a Dirichlet posterior, from which exact intervals follow.

    Parameters
    ----------
    n_components : int, default 20
        The most components; more than needed. Components are left out, never added.
    infer_number : bool, default True
        False keeps n_components: only profiles and weights are uncertain.
    prior : DirichletPrior, optional
        Of the profiles, and then kept as it is: one number for all categories, or one for each.
    tol : float, default 1e-2
        Bound on the estimated remaining gain of the bound per group (nats), for every fit of the search.
    max_iter : int, default 60
        Most steps of a fit of the search.
    init_params, weights_init, profiles_init, random_state, verbose, time_budget, callbacks, executor
        As for :class:`GroupedMultinomialMixture`.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Population weights (learnt; they have no posterior law).
    profiles_ : ndarray, shape (K, C)
        Posterior means of the profiles.
    profile_concentration_ : ndarray, shape (K, C)
        Parameters of the profiles' Dirichlet posteriors.
    prior_concentration_ : ndarray, shape (C,)
        Parameters of the profiles' Dirichlet prior.
    group_weights_, group_counts_, groups_, concentration_
        As for :class:`GroupedMultinomialMixture`; a group's posterior is Dirichlet((concentration_ + group_counts_) group_weights_).
    path_ : tuple of Tried
        Every number of components seen, ascending, with the best bound on the log evidence.
    lower_bound_ : float
        That bound of the result, per group.
    interrupted_ : bool
        Whether Ctrl-C ended the search for the number.

    Notes
    -----
    The population weights and the concentration are maximised over, not integrated: K numbers shared by all groups. The bound holds
    for the local optimum that was found, and mean-field posteriors are somewhat too narrow.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shares = np.array([[0.45, 0.45, 0.05, 0.05], [0.05, 0.05, 0.45, 0.45]])
    >>> X = np.array([rng.multinomial(8, shares[i % 2]) for i in range(120)])
    >>> mixture = BayesianGroupedMultinomialMixture(6, random_state=0).fit(X, groups=np.arange(120) % 10)
    >>> len(mixture.weights_), max(mixture.path_, key=lambda tried: tried.bound).n_components
    (2, 2)
    """

    _saved_arrays: ClassVar[tuple[str, ...]] = (
        *GroupedMultinomialMixture._saved_arrays,
        "profile_concentration_",
        "prior_concentration_",
    )
    _saved_objects: ClassVar[tuple[str, ...]] = ("prior",)

    def __init__(
        self,
        n_components: int = 20,
        *,
        infer_number: bool = True,
        prior: DirichletPrior | None = None,
        tol: float = 1e-2,
        max_iter: int = 60,
        init_params: str = "sieve",
        weights_init: Any = None,
        profiles_init: Any = None,
        random_state: Any = None,
        verbose: int = 0,
        time_budget: float | None = None,
        callbacks: Sequence[Callable[[Progress], object]] = (),
        executor: Executor | None = None,
    ) -> None:
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            init_params=init_params,
            weights_init=weights_init,
            profiles_init=profiles_init,
            random_state=random_state,
            verbose=verbose,
            time_budget=time_budget,
            callbacks=callbacks,
            executor=executor,
        )
        self.infer_number = infer_number
        self.prior = prior

    def _check_settings(self) -> None:
        super()._check_settings()
        if not isinstance(self.infer_number, bool | np.bool_):
            msg = f"infer_number is {self.infer_number!r}; expected True or False."
            raise InvalidParameterError(msg)

    def _allowed(self, labels: Any, n_rows: int) -> Array | None:
        allowed = super()._allowed(labels, n_rows)
        if allowed is not None and self.infer_number:
            msg = (
                "infer_number is True, but labels name components by number, which would change. Expected infer_number=False with "
                "labels."
            )
            raise InvalidParameterError(msg)
        return allowed

    def _fit(self, problem: Problem) -> FitResult:
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        rng = np.random.default_rng(seed)
        executor, until = self._executor(problem), deadline(self.time_budget)
        with catch_interrupt():
            start = self._start(problem, rng)
            if start is None:
                settings = Settings(
                    str(self.init_params),
                    self.n_init,
                    Stopping(_START_TOL, _START_STEPS, until),
                    executor,
                    tuple(self.callbacks),
                )
                start = fit(problem.screen or problem, settings, rng).best.model
            weights = np.asarray(getattr(start.structure, "weights"))  # noqa: B009 - not part of the Structure contract
            start = replace(start, structure=_first_weights(weights))
            bayesian = self._with_priors(problem)
            found = reduced(
                bayesian,
                absorbed(bayesian, start),
                executor=executor,
                stopping=Stopping(self.tol, self.max_iter, until),
                update=LearntBase() if self.prior is None else Maximization(),
                fewest=1 if self.infer_number else self.n_components,
                callbacks=tuple(self.callbacks),
            )
        self.path_: tuple[Tried, ...] = found.path
        self.interrupted_ = found.interrupted
        self._finish(_as_fitted(found, seed))
        self._sampler = np.random.default_rng(rng.integers(2**63))
        return found.result

    def _with_priors(self, problem: Problem) -> Problem:
        """The problem with a Dirichlet law of every profile."""
        whole = overall(problem)
        prior = self.prior
        if prior is None:  # half a line of every category more, so that none is impossible
            counts = whole["sum_t"][0] + 0.5
            prior = DirichletPrior(len(counts) * counts / counts.sum())
        components = hooks.variational(problem.components, prior, whole, problem.encoding.origin)
        return replace(problem, components=components, structure=_first_weights)

    def _publish(self, result: FitResult) -> None:
        super()._publish(
            replace(result, model=replace(result.model, components=result.model.components.point))
        )
        chi, _ = result.model.components.hyper
        self.profile_concentration_ = chi
        self.prior_concentration_ = result.model.components.law.chi

    @property
    def group_concentration_(self) -> Array:
        """Parameters of the groups' Dirichlet posteriors, shape (G, K)."""
        check_is_fitted(self)
        return self.group_weights_ * (self.concentration_ + self.group_counts_)[:, None]

    def weight_intervals(self, level: float = 0.95) -> tuple[Array, Array]:
        """Central credible intervals of all groups' weights.

        Parameters
        ----------
        level : float, default 0.95
            Posterior probability of each.

        Returns
        -------
        low, high : ndarray, shape (G, K)
            Exact quantiles of the beta laws that single weights of a Dirichlet law have.
        """
        return _beta_intervals(self.group_concentration_, level)

    def profile_intervals(self, level: float = 0.95) -> tuple[Array, Array]:
        """Central credible intervals of all shares of the profiles, shape (K, C) each; as `weight_intervals`."""
        check_is_fitted(self)
        return _beta_intervals(self.profile_concentration_, level)

    def main_probability(self, random_state: int = 0) -> Array:
        """Posterior probability that each group's largest weight really is its largest, shape (G,).

        Parameters
        ----------
        random_state : int, default 0
            Seed of the 400 draws from each group's posterior.

        Returns
        -------
        ndarray, shape (G,)
            With a standard error of at most 0.025.
        """
        laws = self.group_concentration_
        main = laws.argmax(axis=1)
        rng = np.random.default_rng(random_state)
        found = np.empty(len(laws))
        step = max(1, 2_000_000 // (_DRAWS * laws.shape[1]))
        for first in range(0, len(laws), step):
            rows = slice(first, first + step)
            drawn = rng.standard_gamma(laws[rows], size=(_DRAWS, *laws[rows].shape))
            found[rows] = (drawn.argmax(axis=2) == main[rows]).mean(axis=0)
        return found

    def number_probabilities(self) -> dict[int, float]:
        """Posterior of the number of components among those seen, all being equally probable before.

        Returns
        -------
        dict of int to float
            exp(bound) over its sum. As sharp as bounds of many rows are: it says what the model makes of the data, and not whether
            the model is right.
        """
        check_is_fitted(self)
        bounds = np.array([tried.bound for tried in self.path_])
        share = np.exp(bounds - bounds.max())
        return {
            tried.n_components: float(part)
            for tried, part in zip(self.path_, share / share.sum(), strict=True)
        }

    def _more_to_save(self) -> dict[str, Any]:
        return super()._more_to_save() | {
            "path_": [[tried.n_components, tried.bound, tried.short] for tried in self.path_],
            "interrupted_": self.interrupted_,
        }

    @classmethod
    def _from_file(cls, content: Any) -> Any:
        estimator = super()._from_file(content)
        estimator.path_ = tuple(Tried(*entry) for entry in content.attributes["path_"])
        return estimator


def _first_weights(counts: Array) -> Grouped:
    """The population's weights at the start, and a usual concentration."""
    share = np.maximum(np.asarray(counts, dtype=np.float64) / np.sum(counts), 1e-10)
    return Grouped(_FIRST_CONCENTRATION * share / share.sum())


def _beta_intervals(laws: Array, level: float) -> tuple[Array, Array]:
    """Central intervals of all weights of Dirichlet laws (..., K)."""
    rest = np.maximum(laws.sum(axis=-1, keepdims=True) - laws, np.finfo(float).tiny)
    tail = 0.5 * (1.0 - checked_level(level))
    return np.asarray(betaincinv(laws, rest, tail)), np.asarray(betaincinv(laws, rest, 1.0 - tail))


def _as_fitted(found: Reduction, seed: int) -> Fitted:
    """The search as one start in the records."""
    best = found.result
    start = StartResult(
        "reduction",
        seed,
        best.objective / best.weight,
        best.reason,
        best.n_iter,
        tuple(value / best.weight for value in best.history),
        seconds=best.seconds,
    )
    return Fitted(best, (start,), 0)
