"""From a model file to the estimator that wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mixtura.exceptions import ModelFileError, did_you_mean
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
from mixtura.models.mixture import Mixture
from mixtura.models.multinomial_hmm import MultinomialHMM
from mixtura.models.multinomial_mixture import MultinomialMixture
from mixtura.models.poisson_hmm import PoissonHMM
from mixtura.models.poisson_mixture import PoissonMixture
from mixtura.models.regression_mixture import RegressionMixture
from mixtura.models.structural_time_series import StructuralTimeSeries
from mixtura.models.student_t_mixture import StudentTMixture
from mixtura.models.switching_linear_dynamical_system import SwitchingLinearDynamicalSystem
from mixtura.persistence import read_model_file

__all__ = ["load"]

_CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        BayesianGaussianMixture,
        BayesianGroupedMultinomialMixture,
        BayesianLinearRegression,
        BernoulliMixture,
        CategoricalHMM,
        CategoricalMixture,
        DirichletMultinomialMixture,
        FactorAnalyzerMixture,
        GMMHMM,
        GaussianHMM,
        GaussianMixture,
        GroupedMultinomialMixture,
        HMM,
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
    )
}


def load(path: str | Path) -> Any:
    """Read a model that `save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : str or Path
        A model file.

    Returns
    -------
    estimator
        Fitted, of the class that was saved.

    Raises
    ------
    ModelFileError
        If the file is not a mixtura model, is damaged, or is of a version or class not known here.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from mixtura import GaussianMixture, load
    >>> path = GaussianMixture().fit(np.arange(6.0).reshape(-1, 1)).save(tempfile.mkdtemp() + "/one.mixtura")
    >>> load(path).means_
    array([[2.5]])
    """
    content = read_model_file(path)
    if content.kind not in _CLASSES:
        msg = f"'{path}' holds a model of class {content.kind!r}, which this version does not know. {did_you_mean(content.kind, _CLASSES)}"
        raise ModelFileError(msg)
    return _CLASSES[content.kind]._from_file(content)
