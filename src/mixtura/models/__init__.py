"""User classes with the familiar fit and predict."""

from mixtura.models._monitor import ConvergenceMonitor
from mixtura.models.bayesian_gaussian_mixture import BayesianGaussianMixture
from mixtura.models.bayesian_grouped_mixture import BayesianGroupedMultinomialMixture
from mixtura.models.bayesian_linear_regression import BayesianLinearRegression
from mixtura.models.bernoulli_mixture import BernoulliMixture
from mixtura.models.categorical_hmm import CategoricalHMM
from mixtura.models.categorical_mixture import CategoricalMixture
from mixtura.models.dirichlet_multinomial_mixture import DirichletMultinomialMixture
from mixtura.models.factor_analyzer_mixture import FactorAnalyzerMixture
from mixtura.models.gaussian_hmm import GaussianHMM
from mixtura.models.gaussian_mixture import GaussianMixture
from mixtura.models.gmm_hmm import GMMHMM
from mixtura.models.grouped_mixture import GroupedMultinomialMixture
from mixtura.models.hmm import HMM
from mixtura.models.linear_dynamical_system import LinearDynamicalSystem
from mixtura.models.loading import load
from mixtura.models.mixture import Mixture
from mixtura.models.multinomial_hmm import MultinomialHMM
from mixtura.models.multinomial_mixture import MultinomialMixture
from mixtura.models.poisson_hmm import PoissonHMM
from mixtura.models.poisson_mixture import PoissonMixture
from mixtura.models.regression_mixture import RegressionMixture
from mixtura.models.structural_time_series import StructuralTimeSeries
from mixtura.models.student_t_mixture import StudentTMixture
from mixtura.models.switching_linear_dynamical_system import SwitchingLinearDynamicalSystem

__all__ = [
    "GMMHMM",
    "HMM",
    "BayesianGaussianMixture",
    "BayesianGroupedMultinomialMixture",
    "BayesianLinearRegression",
    "BernoulliMixture",
    "CategoricalHMM",
    "CategoricalMixture",
    "ConvergenceMonitor",
    "DirichletMultinomialMixture",
    "FactorAnalyzerMixture",
    "GaussianHMM",
    "GaussianMixture",
    "GroupedMultinomialMixture",
    "LinearDynamicalSystem",
    "Mixture",
    "MultinomialHMM",
    "MultinomialMixture",
    "PoissonHMM",
    "PoissonMixture",
    "RegressionMixture",
    "StructuralTimeSeries",
    "StudentTMixture",
    "SwitchingLinearDynamicalSystem",
    "load",
]
