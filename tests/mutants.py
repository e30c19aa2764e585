"""Seeded bugs: faults that were feared, or read in other libraries, kept so that the checks are tested too.

Every entry is one small change to a healthy family, component or structure. tests/test_mutants.py requires that every bug
is caught by some check, and that every check catches some bug.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
from scipy.special import gammaln
from scipy.stats import multivariate_normal, norm, poisson

from contract.specimens import (
    ALPHA,
    FAMILIES,
    LEVELS,
    MATRICES,
    MEANS,
    NORMAL,
    PLANE,
    SHARES,
    TRIALS,
    _dirichlet_multinomial_log_density,
    _multinomial_log_density,
    _normal,
)
from mixtura.components import EEV, EVE, VEE, DirichletMultinomial, Full, Gaussian
from mixtura.exceptions import Degenerate, DegenerateComponentError
from mixtura.families import (
    Bernoulli,
    Binomial,
    Categorical,
    ExponentialFamily,
    FamilyComponents,
    Geometric,
    Normal,
)
from mixtura.families import Poisson as LibraryPoisson
from mixtura.families.multinomial import MultinomialComponents
from mixtura.protocols import Inference
from mixtura.statistics import Statistics
from mixtura.structures import Grouped, Independent
from mutant_base import Mutant

# --- healthy things to break --------------------------------------------------------------------------------------
RATES = np.array([[1.0, 5.0], [8.0, 2.0]])
LINE = np.arange(-22.0, 18.0, 0.05)[None] + 0.025
CELLS = np.stack(np.meshgrid(np.arange(40.0), np.arange(40.0))).reshape(2, -1)


class Poisson(ExponentialFamily):
    """Independent Poisson columns."""

    name = "poisson"
    discrete = True

    def statistics(self, x):
        return np.asarray(x, dtype=float)

    def log_base_measure(self, x):
        return -gammaln(x + 1.0).sum(axis=0)

    def log_normalizer(self, natural):
        return np.exp(natural).sum(axis=1)

    def natural_from_mean(self, mean):
        return np.log(mean)

    def mean_from_natural(self, natural):
        return np.exp(natural)

    def sample(self, natural, n, rng):
        return rng.poisson(np.exp(natural), size=(n, len(natural))).astype(float)


def poisson_log_density(x, k):
    return poisson(RATES[k][:, None]).logpmf(x).sum(axis=0)


def normal_log_density(x, k):
    return norm(*NORMAL[k]).logpdf(x[0])


def gaussian_log_density(x, k):
    return multivariate_normal(MEANS[k], MATRICES[k]).logpdf(x.T)


# --- families -----------------------------------------------------------------------------------------------------
class VarianceAsDeviation(Normal):
    def sample(self, natural, n, rng):
        variance = -0.5 / natural[1]
        return rng.normal(natural[0] * variance, variance, size=(n, 1))


class RateAsScale(Poisson):
    def sample(self, natural, n, rng):
        return rng.poisson(np.exp(-natural), size=(n, len(natural))).astype(float)


class NoFactorial(Poisson):
    def log_base_measure(self, x):
        return np.zeros(x.shape[1])


class WrongGradient(Poisson):
    """E[T] and its inverse agree with each other, not with A."""

    def mean_from_natural(self, natural):
        return 2.0 * np.exp(natural)

    def natural_from_mean(self, mean):
        return np.log(mean / 2.0)


class NewtonNeverRun(Poisson):
    """The start of an iterative M-step is returned as its result."""

    def natural_from_mean(self, mean):
        return np.log(mean) + 0.05 / mean


class ForgottenLogVariance(Normal):
    def log_normalizer(self, natural):
        return -(natural[:, 0] ** 2) / (4.0 * natural[:, 1])


class ExposureForgotten(LibraryPoisson):
    """The exposure stays in h, but does not multiply A."""

    def exposure(self, x):
        return None


class SmoothedByOne(Bernoulli):
    """Shares drawn towards one half, and called the maximum."""

    def natural_from_mean(self, mean):
        return super().natural_from_mean(0.99 * mean + 0.005)


class TrialsForgotten(Binomial):
    """The number of trials multiplies A, but its coefficient is missing."""

    def log_base_measure(self, x):
        return np.zeros(x.shape[1])


class SuccessCountedTwice(Geometric):
    """Trials are taken for failures."""

    def statistics(self, x):
        return x


class OneSumOfAllColumns(Categorical):
    """Levels of all columns share one sum of one."""

    def log_normalizer(self, natural):
        return len(self.levels) * np.log(np.exp(natural).sum(axis=1))


class LevelsCountedFree(Categorical):
    """L instead of L - 1 parameters a column."""

    def n_parameters(self, n_statistics):
        return n_statistics


# --- components ---------------------------------------------------------------------------------------------------
class NormalComponents(FamilyComponents):
    def __init__(self):
        super().__init__(Normal(), np.array([_normal(row) for row in NORMAL]))


class Accumulating(NormalComponents):
    """The accumulator sits inside the object, as in a library we read."""

    def expected_statistics(self, block, resp):
        self.seen = getattr(self, "seen", 0.0) + super().expected_statistics(block, resp)["sum_t"]
        return Statistics({"count": resp.sum(axis=1), "sum_t": self.seen})


class InPlaceMaximize(NormalComponents):
    def maximize(self, stats):
        self._natural = super().maximize(stats).natural
        return self


class Averages(NormalComponents):
    def expected_statistics(self, block, resp):
        sums = super().expected_statistics(block, resp)
        return Statistics({"count": sums["count"] * 0 + 1.0, "sum_t": sums["sum_t"] / sums["count"][:, None]})


class CentredPerBatch(Gaussian):
    def expected_statistics(self, block, resp):
        centred = block.x - block.x.mean(axis=1, keepdims=True)
        packed = np.stack([centred[0] ** 2, centred[0] * centred[1], centred[1] ** 2])
        sums = super().expected_statistics(block, resp)
        return Statistics({"count": sums["count"], "sum_x": sums["sum_x"], "sum_xx": resp @ packed.T})


class SquaredResponsibilities(Gaussian):
    def expected_statistics(self, block, resp):
        return super().expected_statistics(block, resp**2)


class WeightsIgnored(Gaussian):
    """Responsibilities are normalised again, which throws the rows' weights away."""

    def expected_statistics(self, block, resp):
        total = resp.sum(axis=0)
        return super().expected_statistics(block, resp / np.where(total > 0, total, 1.0))


class BiasedCovariance(Gaussian):
    def maximize(self, stats):
        new = super().maximize(stats)
        return new.replace(new.mean, 1.02 * new.covariance)


class UnbiasedDivisor(Gaussian):
    def maximize(self, stats):
        new = super().maximize(stats)
        factor = stats["count"] / (stats["count"] - 1.0)
        return new.replace(new.mean, new.covariance * factor[:, None, None])


class MaximizeNotRun(Gaussian):
    def maximize(self, stats):
        return self.replace(self.mean, self.covariance)


class OldMeanInCovariance(Gaussian):
    """Scatter about the mean before the step instead of the new one."""

    def maximize(self, stats):
        new = super().maximize(stats)
        shift = new.mean - self.mean
        return new.replace(new.mean, new.covariance + shift[:, :, None] * shift[:, None, :])


class NoLogDeterminant(Gaussian):
    def log_prob(self, block):
        half = self.model.half_log_det(self.precision_cholesky, 2)
        return super().log_prob(block) - np.asarray(half)[:, None]


class NoJacobian(Gaussian):
    """Scores on the log scale of the data, without the Jacobian of the transformation."""

    def log_prob(self, block):
        return super().log_prob(block) - 0.3 * block.x[0]


class PrecisionAsCovariance(Gaussian):
    def sample(self, component, n, rng):
        lower = np.linalg.cholesky(np.linalg.inv(self.matrices[component]))
        return self.mean[component] + rng.standard_normal((n, 2)) @ lower.T


class UpperFactorSampled(Gaussian):
    """The Cholesky factor is not transposed: correlated columns come out wrong."""

    def sample(self, component, n, rng):
        lower = np.linalg.cholesky(self.matrices[component])
        return self.mean[component] + rng.standard_normal((n, 2)) @ lower


class FirstComponentTwice(Gaussian):
    def take(self, components):
        return super().take(np.sort(np.asarray(components, dtype=int)))


class LastPartForgotten(Gaussian):
    def concatenate(self, parts):
        return super().concatenate([*parts[:-1], parts[0]])


class CovarianceNotInverse(Gaussian):
    """Coordinates hold the log variance, read back as the log standard deviation."""

    def from_coordinates(self, vector):
        new = super().from_coordinates(vector)
        return new.replace(new.mean, new.covariance * 1.001)


class NegativeVarianceAllowed(NormalComponents):
    def coordinates(self):
        return self.natural.ravel()

    def from_coordinates(self, vector):
        return self.replace(np.reshape(vector, self.natural.shape))


class AllSharesCounted(MultinomialComponents):
    """K (K - 1) instead of K (C - 1) parameters, the published fault, here as K C."""

    def n_parameters(self):
        return self.natural.size


class SharesNotDrawn(DirichletMultinomial):
    """Every row is drawn with the profile itself: no overdispersion."""

    def sample(self, component, n, rng):
        totals = rng.choice(self.totals, size=n)
        return rng.multinomial(totals, self.probabilities[component]).astype(float)


class TotalNotRaised(DirichletMultinomial):
    """The score of the total is taken at A instead of n + A: every row then counts alike."""

    def log_prob(self, block):
        return super().log_prob(block._replace(totals=np.ones(len(block.totals))))


class SingleSums(Gaussian):
    def expected_statistics(self, block, resp):
        sums = super().expected_statistics(block, resp)
        single = {name: value.astype(block.x.dtype) for name, value in sums.sums.items()}
        return Statistics(single)


class FirstEmptyHidesOthers(Gaussian):
    def maximize(self, stats):
        empty = np.flatnonzero(~(stats["count"] > 0))
        if empty.size:
            raise DegenerateComponentError([Degenerate(int(empty[0]), 0.0, "it holds no rows")])
        return super().maximize(stats)


class EmptyFilledIn(NormalComponents):
    def maximize(self, stats):
        filled = np.where(stats["count"][:, None] > 0, stats["sum_t"], [0.0, 1.0])
        count = np.where(stats["count"] > 0, stats["count"], 1.0)
        return super().maximize(Statistics({"count": count, "sum_t": filled}))


class EqualHalves(Gaussian):
    def split(self, stats, component):
        halves = stats.take([*range(len(stats["count"])), component]) * 1.0
        for value in halves.sums.values():
            value[[component, -1]] *= 0.5
        return halves


class FloorNotMarked(Gaussian):
    """A variance floor is applied, but the step still claims to be exact."""

    def maximize(self, stats):
        new = super().maximize(stats)
        return new.replace(new.mean, new.covariance + 0.1 * np.eye(2))


class UnboundMethodInside(Gaussian):
    """Something that does not pickle, so no worker can have it."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.callback = lambda: None


class StaleNormalizer(NormalComponents):
    """expected_log_prob leaves out the normalizer."""

    def expected_log_prob(self, stats):
        return float(np.sum(self.natural * stats["sum_t"]))


class OneInnerStep(VEE):
    """The alternating step for volumes and shape runs once instead of to its end."""

    def _covariances(self, counts, scatter, start):
        volume = np.trace(scatter, axis1=1, axis2=2) / counts
        shape = np.sum(scatter / volume[:, None, None], axis=0)
        shape /= np.sqrt(np.linalg.det(shape))
        volume = np.trace(scatter @ np.linalg.inv(shape), axis1=1, axis2=2) / (2.0 * counts)
        return volume[:, None, None] * shape


class ShapePairedWithWrongAxes(EEV):
    """Eigenvalues in ascending order, axes in descending order."""

    def _covariances(self, counts, scatter, start):
        return super()._covariances(counts, scatter, start)[..., ::-1, ::-1]


class OwnShapesUncounted(EVE):
    def n_parameters(self, n_components, n_features):
        return n_features + n_features * (n_features - 1) // 2


# --- structures ---------------------------------------------------------------------------------------------------
class NoClassWeights(Independent):
    """The class weights are left out of the E-step, a known mistake."""

    def infer(self, scores, batch, memory):
        return Independent(np.zeros(self.n_components)).infer(scores, batch, memory)


class HardAssignments(Independent):
    """Every row goes to its best state, and the evidence is still that of soft assignments."""

    def infer(self, scores, batch, memory):
        found = super().infer(scores, batch, memory)
        hard = np.where(found.resp == found.resp.max(axis=0), batch.sample_weight, 0.0)
        return Inference(found.log_evidence, hard, Statistics({"count": hard.sum(axis=1)}))


class RowWeightsIgnored(Independent):
    def infer(self, scores, batch, memory):
        ones = type(batch)(batch.x, np.ones(scores.shape[1]), batch.unit_offsets, batch.id)
        return super().infer(scores, ones, memory)


class AddOneSmoothing(Independent):
    def maximize(self, stats):
        return type(self)(np.log(stats["count"] + 1.0))


class WeightsInPlace(Independent):
    def maximize(self, stats):
        self.log_weights = super().maximize(stats).log_weights
        return self


class UnnormalisedTake(Independent):
    def take(self, components):
        return type(self)(self.log_weights)


class CoordinatesAreWeights(Independent):
    def coordinates(self):
        return self.weights


class AveragedCounts(Independent):
    def infer(self, scores, batch, memory):
        found = super().infer(scores, batch, memory)
        return Inference(found.log_evidence, found.resp, found.statistics * (1.0 / scores.shape[1]))


class LambdaInside(Independent):
    def __init__(self, log_weights):
        super().__init__(log_weights)
        self.callback = lambda: None


class GroupSizesIgnored(Grouped):
    """A group's start counts its rows instead of their weights (found by these checks in the library)."""

    def start(self, offsets, sample_weight):
        return super().start(offsets, np.ones(len(sample_weight)))


class ConcentrationStuck(Grouped):
    def maximize(self, stats):
        return Grouped(self.pseudo_count, learn=False).maximize(stats)


# --- the catalogue ------------------------------------------------------------------------------------------------
def _family(family, **more):
    if isinstance(family, Normal):
        natural = np.array([_normal(row) for row in NORMAL])
        arguments = {"log_density": normal_log_density, "support": LINE, "volume": 0.05}
    else:
        natural, arguments = np.log(RATES), {"log_density": poisson_log_density, "support": CELLS}
    return Mutant(family=(family, natural), arguments=arguments | more)


def _like(specimen, kind, *constants, **options):
    """A mutant of a specimen's family, with its natural parameters and its arguments."""
    subject, arguments = FAMILIES[specimen].subject, FAMILIES[specimen].arguments
    return Mutant(family=(kind(*constants, **options), subject[1]), arguments=arguments)


def _gaussian(kind):
    component = kind(MEANS, MATRICES, Full())
    x = np.random.default_rng(11).normal(1.0, 2.0, (2, 90))
    arguments = {
        "x": x,
        "log_density": gaussian_log_density,
        "support": PLANE,
        "volume": 0.01,
        "generic": Gaussian(MEANS, MATRICES, Full()),
    }
    return Mutant(component=component, arguments=arguments)


def _component(component, **arguments):
    return Mutant(component=component, arguments=arguments)


def _eigen(model, healthy):
    """Covariances that are of the model."""
    covariance = healthy.maximize(np.ones(3), MATRICES)
    return _component(Gaussian(MEANS, covariance, model))


def _structure(structure, **arguments):
    return Mutant(structure=structure, arguments=arguments)


_WEIGHTS = np.log([0.2, 0.3, 0.5])
_UNITS = np.array([0, 1, 3, 10, 30, 31, 60])

#: Healthy counterparts: no check may complain about these.
HEALTHY = {
    "Normal": _family(Normal()),
    "Poisson": _family(Poisson()),
    "Gaussian": _gaussian(Gaussian),
    "VEE": _eigen(VEE(), VEE()),
    "EEV": _eigen(EEV(), EEV()),
    "EVE": _eigen(EVE(), EVE()),
    "multinomial": _component(
        MultinomialComponents(np.log(SHARES), np.array([5, 9])), log_density=_multinomial_log_density
    ),
    "independent": _structure(Independent(_WEIGHTS)),
    "grouped": _structure(Grouped(np.array([1.0, 2.0, 0.5]), local_steps=100, tol=0.0), offsets=_UNITS),
}

CATALOGUE = {
    "variance as standard deviation in sample": _family(VarianceAsDeviation()),
    "rate as scale in sample": _family(RateAsScale()),
    "log x! forgotten": _family(NoFactorial()),
    "E[T] is not the gradient of A": _family(WrongGradient()),
    "Newton never run": _family(NewtonNeverRun()),
    "log variance forgotten in A": _family(ForgottenLogVariance()),
    "exposure forgotten in A": _like("Poisson, exposure", ExposureForgotten, exposure=True),
    "shares smoothed and called exact": _like("Bernoulli", SmoothedByOne),
    "binomial coefficient forgotten": _like("Binomial", TrialsForgotten, TRIALS),
    "the success counted as a failure": _like("Geometric", SuccessCountedTwice),
    "levels of all columns sum to one": _like("Categorical", OneSumOfAllColumns, LEVELS),
    "levels counted as free": _like("Categorical", LevelsCountedFree, LEVELS),
    "accumulator inside the object": _component(Accumulating()),
    "maximize changes the object": _component(InPlaceMaximize()),
    "averages instead of sums": _component(Averages()),
    "centred per batch": _gaussian(CentredPerBatch),
    "responsibilities squared": _gaussian(SquaredResponsibilities),
    "weights ignored": _gaussian(WeightsIgnored),
    "covariance 2 % too large": _gaussian(BiasedCovariance),
    "divided by N - 1": _gaussian(UnbiasedDivisor),
    "M-step not run": _gaussian(MaximizeNotRun),
    "scatter about the old mean": _gaussian(OldMeanInCovariance),
    "log determinant forgotten": _gaussian(NoLogDeterminant),
    "Jacobian forgotten": _gaussian(NoJacobian),
    "precision as covariance in sample": _gaussian(PrecisionAsCovariance),
    "Cholesky factor not transposed in sample": _gaussian(UpperFactorSampled),
    "take sorts": _gaussian(FirstComponentTwice),
    "concatenate loses a part": _gaussian(LastPartForgotten),
    "coordinates come back changed": _gaussian(CovarianceNotInverse),
    "coordinates that are not valid everywhere": _component(NegativeVarianceAllowed()),
    "shares counted as free": _component(AllSharesCounted(np.log(SHARES), np.array([5, 9]))),
    "shares of units not drawn": _component(SharesNotDrawn(ALPHA, np.array([5, 9]))),
    "row totals left out of the density": _component(
        TotalNotRaised(ALPHA, np.array([5, 9])), log_density=_dirichlet_multinomial_log_density
    ),
    "sums in single precision": _gaussian(SingleSums),
    "first empty component hides the others": _gaussian(FirstEmptyHidesOthers),
    "empty component filled in silently": _component(EmptyFilledIn()),
    "split into equal halves": _gaussian(EqualHalves),
    "floor called exact": _gaussian(FloorNotMarked),
    "component does not pickle": _gaussian(UnboundMethodInside),
    "normalizer left out of expected_log_prob": _component(StaleNormalizer()),
    "inner iteration stopped after a step": _eigen(OneInnerStep(), VEE()),
    "shape paired with the wrong axes": _eigen(ShapePairedWithWrongAxes(), EEV()),
    "shapes of components not counted": _eigen(OwnShapesUncounted(), EVE()),
    "class weights left out of the E-step": _structure(NoClassWeights(_WEIGHTS)),
    "hard assignments": _structure(HardAssignments(_WEIGHTS)),
    "row weights left out of the E-step": _structure(RowWeightsIgnored(_WEIGHTS)),
    "counts smoothed by one": _structure(AddOneSmoothing(_WEIGHTS)),
    "maximize changes the structure": _structure(WeightsInPlace(_WEIGHTS)),
    "take forgets the order": _structure(UnnormalisedTake(_WEIGHTS)),
    "coordinates are weights, read as logs": _structure(CoordinatesAreWeights(_WEIGHTS)),
    "counts averaged": _structure(AveragedCounts(_WEIGHTS)),
    "structure does not pickle": _structure(LambdaInside(_WEIGHTS)),
    "group sizes without weights": _structure(GroupSizesIgnored(np.array([1.0, 2.0, 0.5])), offsets=_UNITS),
    "concentration never learnt": _structure(ConcentrationStuck(np.array([1.0, 2.0, 0.5])), offsets=_UNITS),
}

# The other files of mutants, one a topic, join the same catalogue.
for path in sorted(Path(__file__).parent.glob("mutants_*.py")):
    CATALOGUE |= import_module(path.stem).CATALOGUE
