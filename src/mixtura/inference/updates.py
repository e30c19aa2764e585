"""Updates: how statistics become the next model, and the one policy for degenerate components.

EM is `Maximization()`; MAP is the same with a prior in the form of statistics seen earlier, because a conjugate
prior *is* such statistics. Variational Bayes is the same again: its components and structure hold posterior laws, score with
expected parameters, and say their divergence from the prior (`Model.penalty`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from mixtura.components.hooks import kinds
from mixtura.exceptions import Degenerate, DegenerateComponentError, InvalidParameterError, did_you_mean
from mixtura.protocols import Array, Model, UpdateStep
from mixtura.statistics import Statistics

__all__ = ["POLICIES", "AddPrior", "Drop", "Maximization", "Policy", "Raise", "Reseed", "policy"]


class Repair(NamedTuple):
    """What a policy hands back.

    Parameters
    ----------
    model : Model
        The model whose settings the statistics now fit.
    stats : Statistics
        What to maximize instead.
    event : str
        What was done, in words.
    prior : Statistics or None
        Pseudo-observations to keep from now on.
    """

    model: Model
    stats: Statistics
    event: str
    prior: Statistics | None = None


class Policy(Protocol):
    """What happens to degenerate components."""

    def repair(self, model: Model, stats: Statistics, bad: Array) -> Repair:
        """Model and statistics to maximize instead, and a sentence that says what was done."""
        ...


@dataclass(frozen=True)
class Raise:
    """Give up: the error names every degenerate component."""

    def repair(self, model: Model, stats: Statistics, bad: Array) -> Repair:
        """Raise again; `Maximization` lets the first error through and does not come here."""
        raise DegenerateComponentError(Degenerate(int(k), float(_counts(stats)[k]), "given up") for k in bad)


@dataclass(frozen=True)
class Drop:
    """Go on without the degenerate components."""

    def repair(self, model: Model, stats: Statistics, bad: Array) -> Repair:
        """Take the others."""
        n_components = _counts(stats).size
        kept = np.setdiff1d(np.arange(n_components), bad)
        if not kept.size:
            raise DegenerateComponentError([])
        return Repair(model.take(kept), stats.take(kept), f"dropped component(s) {_names(bad)}")


@dataclass(frozen=True)
class Reseed:
    """Replace each degenerate component by half of the largest one of its kind, split along its main axis.

    States of a chain in which not every move is possible, or not all states are alike, keep their places in it: there only the
    components are split.
    """

    def repair(self, model: Model, stats: Statistics, bad: Array) -> Repair:
        """From statistics alone: no row is looked at."""
        size = _counts(stats).size
        kept = np.setdiff1d(np.arange(size), bad)
        if not kept.size:
            raise DegenerateComponentError([])
        kind = kinds(getattr(model, "components", None), size)
        left, whole, sums = kind[kept], model, stats
        model, stats = model.take(kept), stats.take(kept)
        for lost in kind[bad]:
            alike = left == lost if (left == lost).any() else np.ones(left.size, dtype=bool)
            largest = int(np.argmax(np.where(alike, _counts(stats), -np.inf)))
            left = np.append(left, left[largest])
            stats = model.split(stats, largest)
            model = model.take([*range(_counts(stats).size - 1), largest])
        order = np.argsort(np.concatenate([kept, bad]))  # every other component keeps its number
        model, stats = model.take(order), stats.take(order)
        if _has_places(getattr(whole, "structure", None)):
            model = replace(model, structure=whole.structure)  # type: ignore[attr-defined, type-var] # a LatentMixture
            stats.parts["structure"] = sums.parts["structure"]
        return Repair(model, stats, f"reseeded component(s) {_names(bad)} by splitting the largest")


def _has_places(structure: Any) -> bool:
    """Whether states follow each other in a way that another state in their place would change."""
    if not getattr(structure, "sequential", False):
        return False
    return not structure.exchangeable or not np.all(structure.transition > 0)


@dataclass(frozen=True)
class AddPrior:
    """Give every component, from now on, pseudo-rows that look like the average of all components.

    A chain gets no pseudo-moves: those of an average state would make impossible moves possible.

    Parameters
    ----------
    share : float, default 1e-3
        Part of all sums that the pseudo-rows amount to, divided equally among the components.
    """

    share: float = 1e-3

    def repair(self, model: Model, stats: Statistics, bad: Array) -> Repair:
        """The prior is kept, so that the following steps raise one objective."""
        prior = stats * self.share
        prior.log_evidence = prior.weight = 0.0
        for name, part in prior.parts.items():
            prior.parts[name] = _levelled(part)
        if getattr(getattr(model, "structure", None), "sequential", False):
            prior.parts["structure"] = stats.parts["structure"] * 0.0
        event = f"gave all components pseudo-rows, {self.share:g} of the data, because of component(s) {_names(bad)}"
        return Repair(model, _with_prior(stats, prior), event, prior)


def _levelled(own: Statistics) -> Statistics:
    """The average of all components' sums for each of them, in all parts; the sums given are the caller's to change."""
    common = own.about(None)  # one origin for all components, so that averages of moments make sense
    for key in common.sums.keys() - common.shared:
        common.sums[key] = np.broadcast_to(common.sums[key].mean(axis=0), common.sums[key].shape)
    common.parts = {name: _levelled(part) for name, part in common.parts.items()}
    return common


POLICIES: dict[str, Policy] = {"raise": Raise(), "drop": Drop(), "reseed": Reseed(), "prior": AddPrior()}


def policy(name: str) -> Policy:
    """The policy of that name, for the user classes.

    Examples
    --------
    >>> policy("drop")
    Drop()
    """
    if name not in POLICIES:
        msg = f"on_degenerate is {name!r}, which is not a policy. {did_you_mean(str(name), POLICIES)}"
        raise InvalidParameterError(msg)
    return POLICIES[name]


@dataclass(frozen=True)
class Maximization:
    """EM, or MAP where a prior is given.

    Parameters
    ----------
    prior : Statistics, optional
        Pseudo-observations added to the sums of every step; the objective gains their expected log probability.
        The mode is that of the natural parametrisation: Dirichlet weights become (N_k + a) / sum.
    policy : Policy, default Raise()
        What happens to degenerate components.

    Examples
    --------
    >>> Maximization().prior is None
    True
    """

    prior: Statistics | None = None
    policy: Policy = Raise()

    def init(self, model: Model) -> Statistics | None:
        """The prior is the state, because it shrinks with the model when components are dropped."""
        return self.prior

    def objective(self, state: Statistics | None, model: Model, stats: Statistics) -> float:
        """Log evidence less the model's own penalty (docs/bayesian.md), plus the log prior of pseudo-rows up to a constant."""
        own = stats.log_evidence - model.penalty()
        return own if state is None else own + model.expected_log_prob(state)

    def step(self, state: Statistics | None, model: Model, stats: Statistics) -> UpdateStep:
        """Maximize; where components are degenerate, repair by the policy and say so."""
        total = stats if state is None else _with_prior(stats, state)
        try:
            new = model.maximize(total)
        except DegenerateComponentError as error:
            if isinstance(self.policy, Raise):
                raise
            return self._repaired(state, model, total, error)
        return UpdateStep(new, state, exact=new.exact)

    def _repaired(
        self, state: Statistics | None, model: Model, total: Statistics, error: DegenerateComponentError
    ) -> UpdateStep:
        """Maximize after repairs; three in one step are one too many."""
        events: list[str] = []
        for _ in range(3):
            bad = np.array([event.component for event in error.events], dtype=np.intp)
            try:
                model, total, event, prior = self.policy.repair(model, total, bad)
            except DegenerateComponentError:  # nothing is left to go on with; say why
                raise error from None
            events.append(f"{event} ({'; '.join(str(one) for one in error.events)})")
            if prior is not None:
                state = prior if state is None else state + prior
            if state is not None and _counts(state).size != _counts(total).size:
                state = state.take(np.arange(_counts(total).size))
            try:
                return UpdateStep(model.maximize(total), state, exact=False, events=tuple(events))
            except DegenerateComponentError as again:
                error = again
        raise error


def _with_prior(stats: Statistics, prior: Statistics) -> Statistics:
    """Sums plus pseudo-sums; the evidence and weight of the data stay theirs."""
    total = stats + prior
    total.log_evidence, total.weight = stats.log_evidence, stats.weight
    return total


def _counts(stats: Statistics) -> Array:
    return stats.parts["components"]["count"]


def _names(bad: Array) -> str:
    return ", ".join(str(int(k)) for k in bad)
