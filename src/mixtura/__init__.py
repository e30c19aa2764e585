"""mixtura: mixture and other latent-variable models, learnt by EM on additive statistics.

The user classes have scikit-learn's names and methods; `select` sweeps over the number of components; `load` reads a
saved model; `mixtura.segments` goes from a transaction table to explained customer segments.
"""

from mixtura.models import (
    GMMHMM,
    HMM,
    BayesianGaussianMixture,
    BayesianLinearRegression,
    BernoulliMixture,
    CategoricalHMM,
    CategoricalMixture,
    DirichletMultinomialMixture,
    FactorAnalyzerMixture,
    GaussianHMM,
    GaussianMixture,
    GroupedMultinomialMixture,
    LinearDynamicalSystem,
    Mixture,
    MultinomialHMM,
    MultinomialMixture,
    PoissonHMM,
    PoissonMixture,
    RegressionMixture,
    StructuralTimeSeries,
    StudentTMixture,
    SwitchingLinearDynamicalSystem,
    load,
)
from mixtura.selection import Cut, Hierarchy, SegmentTree, Selection, hierarchical, select

__version__ = "0.1.0"

__all__ = [
    "GMMHMM",
    "HMM",
    "BayesianGaussianMixture",
    "BayesianLinearRegression",
    "BernoulliMixture",
    "CategoricalHMM",
    "CategoricalMixture",
    "Cut",
    "DirichletMultinomialMixture",
    "FactorAnalyzerMixture",
    "GaussianHMM",
    "GaussianMixture",
    "GroupedMultinomialMixture",
    "Hierarchy",
    "LinearDynamicalSystem",
    "Mixture",
    "MultinomialHMM",
    "MultinomialMixture",
    "PoissonHMM",
    "PoissonMixture",
    "RegressionMixture",
    "SegmentTree",
    "Selection",
    "StructuralTimeSeries",
    "StudentTMixture",
    "SwitchingLinearDynamicalSystem",
    "__version__",
    "hierarchical",
    "load",
    "select",
]
