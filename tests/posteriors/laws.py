"""One conjugate law of every kind, with its family, and posterior hyper-parameters that are not the prior's."""

from typing import Any, NamedTuple

import numpy as np

from mixtura.families import (
    Bernoulli,
    Binomial,
    Categorical,
    Exponential,
    FamilyComponents,
    Geometric,
    LogNormal,
    Normal,
    Poisson,
)
from mixtura.families.multinomial import Multinomial, MultinomialComponents
from mixtura.priors import BetaPrior, DirichletPrior, GammaPrior, NormalGammaPrior

A, B = [1.7, 2.0, 1.2], [3.0, 1.4, 1.1]
LEVELS = (3, 2)
MEAN, KAPPA, SHAPE, RATE = [1.0, -2.0, 0.0], [0.5, 2.0, 1.0], [0.6, 3.0, 1.5], [2.0, 0.3, 1.0]


class Case(NamedTuple):
    """A family, a prior, and rows (D, B)."""

    family: Any
    prior: Any
    x: Any

    @property
    def blank(self):
        """Components of the family without parameters."""
        return (
            MultinomialComponents() if isinstance(self.family, Multinomial) else FamilyComponents(self.family)
        )


def _rows():
    rng = np.random.default_rng(3)
    return {
        "counts": rng.integers(0, 7, (3, 30)).astype(float),
        "ones": rng.integers(0, 2, (3, 30)).astype(float),
        "positive": rng.gamma(2.0, 1.0, (3, 30)),
        "levels": np.stack([rng.integers(0, count, 30) for count in LEVELS]).astype(float),
        "numbers": rng.normal(1.0, 2.0, (1, 30)),
    }


ROWS = _rows()
CASES = {
    "bernoulli": Case(Bernoulli(), BetaPrior(A, B), ROWS["ones"]),
    "binomial": Case(Binomial([6, 9, 7]), BetaPrior(A, B), ROWS["counts"]),
    "geometric": Case(Geometric(first=0), BetaPrior(A, B), ROWS["counts"]),
    "poisson": Case(Poisson(), GammaPrior(A, B), ROWS["counts"]),
    "exponential": Case(Exponential(), GammaPrior(A, B), ROWS["positive"]),
    "categorical": Case(Categorical(LEVELS), DirichletPrior([1.3, 1.0, 2.0, 1.5, 4.0]), ROWS["levels"]),
    "multinomial": Case(Multinomial(), DirichletPrior(A), ROWS["counts"]),
    "normal": Case(Normal(), NormalGammaPrior(MEAN[0], KAPPA[0], SHAPE[0], RATE[0]), ROWS["numbers"]),
    "log-normal": Case(LogNormal(), NormalGammaPrior(MEAN, KAPPA, SHAPE, RATE), ROWS["positive"]),
}
