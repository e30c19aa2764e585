r"""How many components: started with more than needed, merged and deleted while the bound rises, weights of groups kept.

For multinomial profiles with Dirichlet priors and weights per group (`mixtura.structures.Grouped`) what a merge of components a
and b costs is known, at fixed responsibilities, without another fit. With sums :math:`S_k`, posterior weights
:math:`\gamma_h = s\alpha + n_h` and :math:`\log Z` of the Dirichlet law, the bound changes by

.. math:: \log\frac{Z(\chi+S_a+S_b)\,Z(\chi)}{Z(\chi+S_a)\,Z(\chi+S_b)}
   + \sum_h\log\frac{\Gamma(\gamma_{ha}+\gamma_{hb})\,\Gamma(s\alpha_a)\,\Gamma(s\alpha_b)}
                    {\Gamma(s\alpha_a+s\alpha_b)\,\Gamma(\gamma_{ha})\,\Gamma(\gamma_{hb})}
   - \sum_i [f(r_{ia}+r_{ib}) - f(r_{ia}) - f(r_{ib})],\quad f(r) = r\log r,

profiles, weights and lost freedom of the labels. The pairs that cost least are merged, or a component is left out whose rows others
explain nearly as well, and the fit goes on from there. A move is kept if the bound rises; where none raises it, the search follows
the best one for some more moves, and what they found is kept only if the bound has risen in the end. Groups remember their weights over
a move, so that a lower bound says something about the components and not about another local optimum of the groups.

Below the number that was found, pairs are merged on, several at a time and with short fits: what fewer components would cost.

The file is long because the search, its moves and what they gain are one thing.

References
----------
.. [1] N. Ueda and Z. Ghahramani (2002), "Bayesian model search for mixture models based on optimizing variational bounds", Neural
   Networks 15(10), 1223-1241.
.. [2] M. C. Hughes and E. B. Sudderth (2013), "Memoized online variational inference for Dirichlet process mixture models", NIPS 26.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import digamma, gammaln, xlogy

from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.problem import Problem
from mixtura.inference.stopping import Interruption, Stopping, catch_interrupt
from mixtura.inference.updates import Maximization
from mixtura.priors import DirichletOfLevels
from mixtura.protocols import Array, Executor, Memory, Model, UpdateStep
from mixtura.statistics import Statistics
from mixtura.structures import LatentMixture
from mixtura.structures.grouped import offsets_of

__all__ = ["LearntBase", "Reduction", "Tried", "merge_gains", "reduced"]

# Merges tried from one model, before leaving out a component.
_TRIED_MERGES = 2
# Moves in a row that may fail to reach the best bound before the search ends: what one merge loses the next may regain.
_PATIENCE = 5
# Rows in which the overlap of components is looked at: it only orders the moves.
_LOOKED_AT = 25_000
# Pairs for which the overlap is computed, for each component.
_PAIRS_EACH = 3
# Merges at a time below the number found, as a share of the components, and passes after them.
_AT_A_TIME, _SHORT = 0.125, 8
# Rows with which a component is in use.
_UNUSED = 0.5
# Range of the scale of the profiles' prior, in lines.
_SCALES = (1e-2, 1e7)


@dataclass(frozen=True)
class Tried:
    """A number of components and the best bound seen with it.

    Parameters
    ----------
    n_components : int
        Components that hold rows.
    bound : float
        On the log evidence, a total over the data, in nats.
    short : bool
        Whether the fit was cut short: a longer one could raise the bound a little.
    """

    n_components: int
    bound: float
    short: bool


@dataclass(frozen=True)
class Reduction:
    """What the search ended with.

    Parameters
    ----------
    result : FitResult
        The run kept.
    path : tuple of Tried
        Every number of components that was seen, ascending.
    interrupted : bool
        Whether Ctrl-C ended the search.
    """

    result: FitResult
    path: tuple[Tried, ...]
    interrupted: bool


@dataclass(frozen=True)
class LearntBase(Maximization):
    """Variational updates that also learn the scale of the profiles' Dirichlet prior: how many lines its mean counts for.

    The mean stays (the shares of all rows); the scale is the one that raises the bound most while the posterior laws stay
    (empirical Bayes), so the bound never falls.
    """

    def step(self, state: Statistics | None, model: Model, stats: Statistics) -> UpdateStep:
        """The posterior, then its prior."""
        new = _with_learnt_scale(model.maximize(stats))
        return UpdateStep(new, state, exact=new.exact)


def _with_learnt_scale(model: Any) -> Any:
    law, (chi, nu) = model.components.law, model.components.hyper
    mean, size = law.chi / law.chi.sum(), len(chi)
    logs = (digamma(chi) - digamma(chi.sum(axis=1, keepdims=True))).sum(axis=0)

    def loss(log_scale: float) -> float:
        prior = np.exp(log_scale) * mean
        return -float(size * (gammaln(prior.sum()) - gammaln(prior).sum()) + (prior - 1.0) @ logs)

    found = minimize_scalar(loss, bounds=np.log(_SCALES), method="bounded", options={"xatol": 1e-9})
    if loss(float(np.log(law.chi.sum()))) <= found.fun:
        return model
    components = copy.copy(model.components)
    components.law = DirichletOfLevels.of(np.exp(found.x) * mean, law.owner)
    return replace(model, components=components.at(chi, nu))


def reduced(
    problem: Problem,
    start: LatentMixture,
    *,
    executor: Executor,
    stopping: Stopping,
    update: Maximization,
    fewest: int = 1,
    callbacks: Sequence[Callable[[Progress], object]] = (),
) -> Reduction:
    """Fit, and merge or delete components while that raises the bound.

    Parameters
    ----------
    problem : Problem
        The rows, in groups.
    start : LatentMixture
        Posterior laws of multinomial profiles, weights per group (`Grouped`).
    executor : Executor
        Who sums.
    stopping : Stopping
        Of every fit but the short ones.
    update : Maximization
        `LearntBase`, or `Maximization` to keep the prior.
    fewest : int, default 1
        The smallest number of components that is tried; that of `start` keeps all of them.
    callbacks : sequence of callable
        Called after every pass; one that returns True ends the fit in progress.

    Returns
    -------
    Reduction
        The bound of its result is the largest of its path.
    """
    with catch_interrupt() as interruption:

        def fitted(model: LatentMixture, memory: Mapping[int, Memory], stop: Stopping) -> FitResult:
            return run(
                model,
                problem.source(),
                update=update,
                executor=_Remembering(executor, memory),
                stopping=stop,
                callbacks=callbacks,
            )

        best = now = fitted(start, {}, stopping)
        seen: dict[int, Tried] = {}
        infer = start.n_components > fewest
        _note(seen, best, used=infer, short=False)
        since = 0  # moves since the best
        while now.model.n_components > fewest and since < _PATIENCE and not interruption.pressed:
            now = _moved(problem, now, partial(fitted, stop=stopping), interruption)
            if interruption.pressed:
                break
            _note(seen, now, used=infer, short=False)
            since += 1
            if now.objective > best.objective:
                best, since = now, 0
        left = _unused(best)
        if (
            infer and left.size and not interruption.pressed
        ):  # they add nothing to the bound, and nothing to the answer
            best = fitted(*_deleted(best, left), stopping)
            _note(seen, best, used=infer, short=False)
        while now.model.n_components > fewest and not interruption.pressed:
            gains = merge_gains(problem, now)
            wanted = max(1, int(_AT_A_TIME * now.model.n_components))
            pairs = _disjoint(gains, min(wanted, now.model.n_components - fewest))
            short = Stopping(stopping.tol, min(_SHORT, stopping.max_iter), stopping.deadline)
            now = fitted(*_merged(now, pairs), short)
            if not interruption.pressed:
                _note(seen, now, used=infer, short=True)
        # After an interruption components without rows may be left.
        seen.setdefault(best.model.n_components, Tried(best.model.n_components, best.objective, short=False))
        path = tuple(seen[number] for number in sorted(seen))
        return Reduction(best, path, interruption.pressed)


def _unused(fit: FitResult) -> Array:
    """Components that hold less than half a row; never all."""
    count = fit.statistics.parts["components"]["count"]
    return np.flatnonzero(count < min(_UNUSED, count.max()))


def _note(seen: dict[int, Tried], found: FitResult, *, used: bool, short: bool) -> None:
    number = found.model.n_components - (_unused(found).size if used else 0)
    if number not in seen or found.objective > seen[number].bound:
        seen[number] = Tried(number, found.objective, short)


class _Remembering:
    """An executor whose sessions begin with what units remember from an earlier run."""

    def __init__(self, executor: Executor, memory: Mapping[int, Memory]) -> None:
        self.executor, self.memory = executor, memory

    def session(self) -> Any:
        """Open a fit."""
        session: Any = self.executor.session()
        session.memory.update({batch: dict(own) for batch, own in self.memory.items()})
        return session


def _moved(
    problem: Problem,
    fit: FitResult,
    fitted: Callable[[LatentMixture, Mapping[int, Memory]], FitResult],
    interruption: Interruption,
) -> FitResult:
    """One component the fewer: the first move that raises the bound, else that which lowers it least."""
    gains = merge_gains(problem, fit)
    order = np.argsort(gains, axis=None)[::-1][:_TRIED_MERGES]
    pairs = [np.unravel_index(place, gains.shape) for place in order if np.isfinite(gains.flat[place])]
    begun = [_merged(fit, [(int(a), int(b))]) for a, b in pairs]
    begun.append(_deleted(fit, np.argmax(_deletion_gains(problem, fit))))
    left = _unused(fit)
    if left.size:
        begun.insert(0, _deleted(fit, left))
    found: list[FitResult] = []
    for model, memory in begun:
        if found and interruption.pressed:
            break
        found.append(fitted(model, memory))
        if found[-1].objective > fit.objective:
            break
    return max(found, key=lambda one: one.objective)


def merge_gains(problem: Problem, fit: FitResult) -> Array:
    """What merging each pair adds to the bound while responsibilities stay, shape (K, K).

    Parameters
    ----------
    problem : Problem
        The rows.
    fit : FitResult
        Of `LatentMixture` with multinomial posterior laws and `Grouped` weights.

    Returns
    -------
    ndarray, shape (K, K)
        Above the diagonal; minus infinity elsewhere, and for pairs that are far from the best. With more than 25,000 rows the overlap
        of components is that of some batches, scaled up.
    """
    law, sums = fit.model.components.law, fit.statistics.parts["components"]["sum_t"]
    size = len(sums)
    upper = np.triu_indices(size, 1)
    chi = law.chi
    gains = np.full((size, size), -np.inf)
    own = _log_z(chi + sums) - _log_z(chi)
    for a in range(size - 1):
        both = _log_z(chi + sums[a] + sums[a + 1 :]) - _log_z(chi)
        gains[a, a + 1 :] = both - own[a] - own[a + 1 :]
    # An upper guess of what is gained by one label the fewer: the entropy of a pair's labels.
    count = fit.statistics.parts["components"]["count"]
    together = count[upper[0]] + count[upper[1]]
    labels = xlogy(together, together) - xlogy(count[upper[0]], count[upper[0]])
    labels -= xlogy(count[upper[1]], count[upper[1]])
    order = np.argsort(-(gains[upper] + labels), kind="stable")[: _PAIRS_EACH * size]
    pairs = np.stack([upper[0][order], upper[1][order]], axis=1)
    kept = np.full((size, size), -np.inf)
    change = _weights_gain(fit, pairs) - _overlap(problem, fit, pairs)
    kept[pairs[:, 0], pairs[:, 1]] = gains[pairs[:, 0], pairs[:, 1]] + change
    return kept


def _log_z(chi: Array) -> Array:
    return np.asarray(gammaln(chi).sum(axis=-1) - gammaln(chi.sum(axis=-1)))


def _weights_gain(fit: FitResult, pairs: Array) -> Array:
    """Change of the groups' evidence of their labels for each pair."""
    prior = fit.model.structure.pseudo_count
    laws = np.concatenate([fit.memory[batch]["dirichlet"] for batch in sorted(fit.memory)])
    own = (gammaln(laws) - gammaln(prior)).sum(axis=0)
    found = np.empty(len(pairs))
    for place, (a, b) in enumerate(pairs):
        both = prior[a] + prior[b]
        together = gammaln(laws[:, a] + laws[:, b]).sum() - len(laws) * gammaln(both)
        found[place] = together - own[a] - own[b]
    return found


def _some_batches(problem: Problem) -> tuple[list[Any], float]:
    """Some of the batches, evenly spread, and how many rows all hold for each of theirs."""
    source = problem.source()
    n_rows = problem.x.shape[0]
    wanted = max(1, round(len(source) * min(1.0, _LOOKED_AT / n_rows)))
    chosen = [source[int(index)] for index in np.linspace(0, len(source) - 1, wanted).round()]
    return chosen, n_rows / sum(len(batch.sample_weight) for batch in chosen)


def _responsibilities(fit: FitResult, batch: Any) -> Array:
    """Of one batch, with the weights its groups remember, times the rows' weights, shape (K, B)."""
    model = fit.model
    scores = np.array(model.components.log_prob(model.components.encode(batch.x, model.encoding)))
    laws = fit.memory[batch.id]["dirichlet"]
    offsets = offsets_of(batch, scores.shape[1])
    logs = digamma(laws) - digamma(laws.sum(axis=1, keepdims=True))
    scores += np.repeat(logs, np.diff(offsets), axis=0).T
    scores -= scores.max(axis=0)
    np.exp(scores, out=scores)
    scores *= batch.sample_weight / scores.sum(axis=0)
    return scores


def _overlap(problem: Problem, fit: FitResult, pairs: Array) -> Array:
    """Entropy of labels that each pair's merge would lose."""
    batches, scale = _some_batches(problem)
    found = np.zeros(len(pairs))
    for batch in batches:
        resp = _responsibilities(fit, batch)
        own = xlogy(resp, resp).sum(axis=1)
        for place, (a, b) in enumerate(pairs):
            both = resp[a] + resp[b]
            found[place] += xlogy(both, both).sum() - own[a] - own[b]
    return scale * found


def _deletion_gains(problem: Problem, fit: FitResult) -> Array:
    """About what leaving out each component adds to the bound: its divergence, less what its rows lose elsewhere."""
    batches, scale = _some_batches(problem)
    lost = np.zeros(fit.model.n_components)
    for batch in batches:
        resp = _responsibilities(fit, batch)
        weight = np.maximum(batch.sample_weight, np.finfo(float).tiny)
        lost += np.log(np.maximum(1.0 - resp / weight, 1e-16)) @ batch.sample_weight
    return np.asarray(fit.model.components.divergences() + scale * lost)


def _disjoint(gains: Array, wanted: int) -> list[tuple[int, int]]:
    """The best pairs of which no two share a component."""
    used: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for place in np.argsort(gains, axis=None)[::-1]:
        a, b = (int(index) for index in np.unravel_index(place, gains.shape))
        if len(pairs) == wanted or not np.isfinite(gains[a, b]):
            break
        if not used & {a, b}:
            pairs.append((a, b))
            used |= {a, b}
    return pairs


def _merged(fit: FitResult, pairs: Sequence[tuple[int, int]]) -> tuple[LatentMixture, dict[int, Memory]]:
    """The model with the sums of each pair added, and what its groups remember."""
    model, size = fit.model, fit.model.n_components
    into = np.eye(size)
    for a, b in pairs:
        into[a] += into[b]
    into = np.delete(into, [b for _, b in pairs], axis=0)
    chi = model.components.law.chi + into @ fit.statistics.parts["components"]["sum_t"]
    new = replace(
        model,
        components=model.components.at(chi, chi.sum(axis=1, keepdims=True)),
        structure=model.structure.replace(into @ model.structure.pseudo_count),
    )
    memory: dict[int, Memory] = {
        batch: {**own, "dirichlet": np.ascontiguousarray(own["dirichlet"] @ into.T)}
        for batch, own in fit.memory.items()
    }
    return new, memory


def _deleted(fit: FitResult, components: Any) -> tuple[LatentMixture, dict[int, Memory]]:
    """The model without some components, and what its groups remember of the others."""
    kept = np.delete(np.arange(fit.model.n_components), components)
    memory: dict[int, Memory] = {
        batch: {**own, "dirichlet": np.ascontiguousarray(own["dirichlet"][:, kept])}
        for batch, own in fit.memory.items()
    }
    return fit.model.take(kept), memory
