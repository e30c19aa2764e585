"""User classes with the familiar fit and predict."""

from mixtura.models.bayesian_gaussian_mixture import BayesianGaussianMixture
from mixtura.models.bayesian_grouped_mixture import BayesianGroupedMultinomialMixture
from mixtura.models.bayesian_linear_regression import BayesianLinearRegression
from mixtura.models.bernoulli_mixture import BernoulliMixture
from mixtura.models.categorical_mixture import CategoricalMixture
from mixtura.models.dirichlet_multinomial_mixture import DirichletMultinomialMixture
from mixtura.models.factor_analyzer_mixture import FactorAnalyzerMixture
from mixtura.models.gaussian_mixture import GaussianMixture
from mixtura.models.grouped_mixture import GroupedMultinomialMixture
from mixtura.models.hmm import HMM
from mixtura.models.linear_dynamical_system import LinearDynamicalSystem
from mixtura.models.loading import load
from mixtura.models.mixture import Mixture
from mixtura.models.multinomial_mixture import MultinomialMixture
from mixtura.models.poisson_mixture import PoissonMixture
from mixtura.models.regression_mixture import RegressionMixture
from mixtura.models.structural_time_series import StructuralTimeSeries
from mixtura.models.student_t_mixture import StudentTMixture
from mixtura.models.switching_linear_dynamical_system import SwitchingLinearDynamicalSystem

__all__ = [
    "HMM",
    "BayesianGaussianMixture",
    "BayesianGroupedMultinomialMixture",
    "BayesianLinearRegression",
    "BernoulliMixture",
    "CategoricalMixture",
    "DirichletMultinomialMixture",
    "FactorAnalyzerMixture",
    "GaussianMixture",
    "GroupedMultinomialMixture",
    "LinearDynamicalSystem",
    "Mixture",
    "MultinomialMixture",
    "PoissonMixture",
    "RegressionMixture",
    "StructuralTimeSeries",
    "StudentTMixture",
    "SwitchingLinearDynamicalSystem",
    "load",
]
