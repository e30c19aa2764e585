"""Updates: how statistics become the next model, and the one policy for degenerate components.

EM is `Maximization()`; MAP is the same with a prior in the form of statistics seen earlier, because a conjugate
prior *is* such statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mixtura.exceptions import DegenerateComponentError, InvalidParameterError, did_you_mean
from mixtura.protocols import Array, Model, UpdateStep
from mixtura.statistics import Statistics

__all__ = ["POLICIES", "AddPrior", "Drop", "Maximization", "Policy", "Raise", "Reseed", "policy"]


class Policy(Protocol):
    """What happens to degenerate components."""

    def repair(self, model: Model, stats: Statistics, bad: Array) -> tuple[Model, Statistics, str]:
        """Model and statistics to maximize instead, and a sentence that says what was done."""
        ...


@dataclass(frozen=True)
class Raise:
    """Give up: the error names every degenerate component."""

    def repair(self, model: Model, stats: Statistics, bad: Array) -> tuple[Model, Statistics, str]:
        """Never called with success; `Maximization` lets the error through."""
        raise NotImplementedError


@dataclass(frozen=True)
class Drop:
    """Go on without the degenerate components."""

    def repair(self, model: Model, stats: Statistics, bad: Array) -> tuple[Model, Statistics, str]:
        """Take the others."""
        n_components = _counts(stats).size
        kept = np.setdiff1d(np.arange(n_components), bad)
        if not kept.size:
            raise DegenerateComponentError([])
        return model.take(kept), stats.take(kept), f"dropped component(s) {_names(bad)}"


@dataclass(frozen=True)
class Reseed:
    """Replace each degenerate component by half of the largest one, split along its main axis."""

    def repair(self, model: Model, stats: Statistics, bad: Array) -> tuple[Model, Statistics, str]:
        """From statistics alone: no row is looked at."""
        kept = np.setdiff1d(np.arange(_counts(stats).size), bad)
        if not kept.size:
            raise DegenerateComponentError([])
        model, stats = model.take(kept), stats.take(kept)
        for _ in bad:
            largest = int(np.argmax(_counts(stats)))
            stats = model.split(stats, largest)
            model = model.take([*range(_counts(stats).size - 1), largest])
        return model, stats, f"reseeded component(s) {_names(bad)} by splitting the largest"


@dataclass(frozen=True)
class AddPrior:
    """Give every component a share of the average component, so that none is empty.

    Parameters
    ----------
    share : float, default 1e-3
        Part of all sums, divided equally among the components.
    """

    share: float = 1e-3

    def repair(self, model: Model, stats: Statistics, bad: Array) -> tuple[Model, Statistics, str]:
        """Mix every component's sums with the average of all."""
        mixed = stats * 1.0
        # One origin for all components, so that averages of moments make sense.
        mixed.parts = {name: part.about(None) for name, part in mixed.parts.items()}
        for part in mixed.parts.values():
            for name in part.sums.keys() - part.shared:
                value = part.sums[name]
                part.sums[name] = (1.0 - self.share) * value + self.share * value.mean(axis=0, keepdims=True)
        return (
            model,
            mixed,
            f"gave component(s) {_names(bad)} a prior worth {self.share:g} of the average component",
        )


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
        """Log evidence, plus the log prior up to a constant."""
        return stats.log_evidence if state is None else stats.log_evidence + model.expected_log_prob(state)

    def step(self, state: Statistics | None, model: Model, stats: Statistics) -> UpdateStep:
        """Maximize; where components are degenerate, repair by the policy and say so."""
        total = stats if state is None else _with_prior(stats, state)
        try:
            new = model.maximize(total)
        except DegenerateComponentError as error:
            if isinstance(self.policy, Raise):
                raise
            events: list[str] = []
            for _ in range(3):
                bad = np.array([event.component for event in error.events], dtype=np.intp)
                model, total, event = self.policy.repair(model, total, bad)
                events.append(f"{event}: {'; '.join(str(one) for one in error.events)}")
                try:
                    new = model.maximize(total)
                except DegenerateComponentError as again:
                    error = again
                    continue
                if state is not None and _counts(state).size != _counts(total).size:
                    state = state.take(np.arange(_counts(total).size))
                return UpdateStep(new, state, exact=False, events=tuple(events))
            raise error from None
        return UpdateStep(new, state, exact=new.exact)


def _with_prior(stats: Statistics, prior: Statistics) -> Statistics:
    """Sums plus pseudo-sums; the evidence and weight of the data stay theirs."""
    total = stats + prior
    total.log_evidence, total.weight = stats.log_evidence, stats.weight
    return total


def _counts(stats: Statistics) -> Array:
    return stats.parts["components"]["count"]


def _names(bad: Array) -> str:
    return ", ".join(str(int(k)) for k in bad)
