"""From responsibilities of all rows to the model that a fit begins with."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from mixtura.inference import initialize
from mixtura.inference.problem import Problem
from mixtura.protocols import Array, Source
from mixtura.structures import LatentMixture

__all__ = ["Starting", "one_step", "softness", "start_from"]


@runtime_checkable
class Starting(Protocol):
    """What `init_params` may be beside a name and a fitted model: a hierarchy of rows, a tree of components."""

    def starting_model(self, problem: Problem) -> LatentMixture:
        """The model of K components that the fit begins with."""
        ...


def start_from(problem: Problem, resp: Array, *, hard: bool) -> LatentMixture:
    """The start that responsibilities of all rows make.

    Parameters
    ----------
    problem : Problem
        What is to be learned.
    resp : ndarray, shape (N, K)
        One row per row of the problem.
    hard : bool
        Whether they are labels, 0 or 1: counts then start softer, because a category missing in a group would keep probability
        zero.

    Returns
    -------
    LatentMixture
        An ordinary model.
    """
    return one_step(problem, problem.source(), resp, softness(problem) if hard else 0.0)


def softness(problem: Problem) -> float:
    """What share of a row of a hard partition goes to all components: none of numbers, some of counts."""
    return 0.0 if np.all(problem.components.centred) else 0.1


def one_step(problem: Problem, source: Source, resp: Array, soft: float) -> LatentMixture:
    """One M-step from responsibilities (N, K), of which a share is given to all components.

    Parameters
    ----------
    problem : Problem
        Says components, structure, and which states rows may have.
    source : Source
        Its rows.
    resp : ndarray, shape (N, K)
        Responsibilities.
    soft : float
        The share.
    """
    if problem.allowed is not None:
        resp = initialize.among(resp, problem.allowed)
    if soft or not resp.any(axis=0).all():  # fewer distinct rows than components: let all of them share
        resp = initialize.soften(resp, soft or 0.1)
        if problem.allowed is not None:
            resp = initialize.among(resp, problem.allowed)
    if problem.seen is not None:
        resp = resp * problem.seen[:, None]
    return problem.begun(resp, source)
