"""From equal starts the same parameters, scores, posteriors, paths, samples and criteria as hmmlearn's classes."""

import warnings

import numpy as np
import pytest

from mixtura.exceptions import ConvergenceWarning
from mixtura.models.categorical_hmm import CategoricalHMM
from mixtura.models.gaussian_hmm import GaussianHMM
from mixtura.models.gmm_hmm import GMMHMM
from mixtura.models.multinomial_hmm import MultinomialHMM
from mixtura.models.poisson_hmm import PoissonHMM

hmm = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed: nothing to compare with")

K, STEPS = 3, 25
LENGTHS = [60, 1, 85, 54]
OURS = {
    "GaussianHMM": GaussianHMM,
    "CategoricalHMM": CategoricalHMM,
    "MultinomialHMM": MultinomialHMM,
    "PoissonHMM": PoissonHMM,
    "GMMHMM": GMMHMM,
}
INITIAL = np.array([0.5, 0.3, 0.2])
TRANSITION = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.1, 0.6]])
# Two implementations of sums over 200 rows, 25 times over, where the largest difference is 2e-14.
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def states(rng):
    state = [int(rng.integers(K))]
    for _ in range(sum(LENGTHS) - 1):
        state.append(int(rng.choice(K, p=[[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]][state[-1]])))
    return np.array(state)


RNG = np.random.default_rng(11)
STATE = states(RNG)
PLANE = np.array([[0.0, 1.0], [3.0, -1.0], [-2.0, -3.0]])[STATE] + RNG.normal(
    size=(len(STATE), 2)
) @ np.array([[1.0, 0.4], [0.0, 0.8]])
SYMBOLS = np.array([RNG.choice(4, p=np.roll([0.7, 0.2, 0.05, 0.05], s)) for s in STATE])[:, None]
COUNTS = np.array(
    [RNG.multinomial(5 + t % 3, np.roll([0.7, 0.2, 0.1, 0.0], s)) for t, s in enumerate(STATE)], dtype=int
)
EVENTS = RNG.poisson(np.array([[2.0, 9.0], [5.0, 1.0], [11.0, 4.0]])[STATE])
MEANS = np.array([[0.5, 0.5], [2.0, -0.5], [-1.0, -2.0]])
ROWS = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.4, 0.3, 0.2], [0.2, 0.1, 0.4, 0.3]])
MATRIX = np.array([[1.5, 0.3], [0.3, 2.0]])
COVARIANCES = {
    "spherical": np.array([1.0, 1.5, 2.0]),
    "diag": np.array([[1.0, 1.5], [2.0, 1.2], [1.3, 0.9]]),
    "full": np.stack([MATRIX, 2 * MATRIX, MATRIX * [[1, -1], [-1, 1]]]),
    "tied": MATRIX,
}
WEIGHTS = np.array([[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
CENTRES = MEANS[:, None] + np.array([[0.8, 0.2], [-0.7, -0.3]])
# Where means stay they have to be near the rows, or a Gaussian collapses upon a few, and rounding errors grow.
NEAR = np.array([[0.0, 1.0], [3.0, -1.0], [-2.0, -3.0]])[:, None] + np.array([[0.5, 0.2], [-0.6, -0.3]])
INNER = {
    "spherical": np.array([[1.0, 1.5], [2.0, 0.8], [1.1, 0.9]]),
    "diag": COVARIANCES["diag"][:, None] * np.array([[1.0, 1.2], [0.8, 1.1]]),
    "full": np.stack([np.stack([a * MATRIX, b * MATRIX]) for a, b in ((1, 2), (0.7, 1.1), (1.3, 0.9))]),
    "tied": COVARIANCES["full"],
}
CHAIN_PRIORS = {"startprob_prior": np.array([2.0, 1.5, 1.0]), "transmat_prior": 1.0 + 5.0 * np.eye(K)}
GAUSSIAN_PRIORS = {
    "spherical": {
        "means_prior": np.array([[1.0, 0.0]]),
        "means_weight": 2.0,
        "covars_prior": 0.7,
        "covars_weight": 3.0,
    },
    "diag": {
        "means_prior": MEANS + 0.3,
        "means_weight": np.array([[0.5, 2.0]]),
        "covars_prior": COVARIANCES["diag"],
        "covars_weight": 4.0,
    },
    "full": {
        "means_prior": MEANS + 0.3,
        "means_weight": 3.0,
        "covars_prior": 2 * MATRIX,
        "covars_weight": 6.0,
    },
    "tied": {
        "means_prior": MEANS + 0.3,
        "means_weight": 3.0,
        "covars_prior": 2 * MATRIX,
        "covars_weight": 6.0,
    },
}
INNER_PRIORS = {
    "spherical": {"covars_prior": 2.0, "covars_weight": 1.5},
    "diag": {"covars_prior": 2.0, "covars_weight": np.array([1.5, 0.5])},
    "full": {"covars_prior": MATRIX, "covars_weight": 4.0},
    "tied": {"covars_prior": 2 * MATRIX, "covars_weight": 5.0},
}
INNER_MEANS = {
    "weights_prior": np.array([[2.0, 1.5]]),
    "means_prior": CENTRES + 0.2,
    "means_weight": np.array([[1.0, 2.0]]),
}

# Name -> class, rows, settings and start.
CASES = {
    "categorical": ("CategoricalHMM", SYMBOLS, {}, {"emissionprob_": ROWS}),
    "categorical, priors": (
        "CategoricalHMM",
        SYMBOLS,
        CHAIN_PRIORS | {"emissionprob_prior": 1.0 + ROWS},
        {"emissionprob_": ROWS},
    ),
    "categorical, priors below one": (
        "CategoricalHMM",
        SYMBOLS,
        {"startprob_prior": 0.5, "transmat_prior": 0.4, "emissionprob_prior": 0.7},
        {"emissionprob_": ROWS},
    ),
    "categorical, more symbols than seen": (
        "CategoricalHMM",
        SYMBOLS,
        {"n_features": 5},
        {"emissionprob_": np.column_stack([0.9 * ROWS, np.full(3, 0.1)])},
    ),
    "multinomial": ("MultinomialHMM", COUNTS, {}, {"emissionprob_": ROWS}),
    "multinomial, priors": ("MultinomialHMM", COUNTS, CHAIN_PRIORS, {"emissionprob_": ROWS}),
    "poisson": ("PoissonHMM", EVENTS, {}, {"lambdas_": np.array([[3.0, 7.0], [4.0, 2.0], [8.0, 4.0]])}),
    "poisson, priors": (
        "PoissonHMM",
        EVENTS,
        CHAIN_PRIORS | {"lambdas_prior": 3.0, "lambdas_weight": np.array([0.5, 2.0])},
        {"lambdas_": np.array([[3.0, 7.0], [4.0, 2.0], [8.0, 4.0]])},
    ),
}
for kind, value in COVARIANCES.items():
    begun = {"means_": MEANS, "covars_": value}
    mixed = {"weights_": WEIGHTS, "means_": CENTRES, "covars_": INNER[kind]}
    own = {"covariance_type": kind}
    CASES |= {
        f"gaussian, {kind}": ("GaussianHMM", PLANE, own, begun),
        f"gaussian, {kind}, priors": (
            "GaussianHMM",
            PLANE,
            own | CHAIN_PRIORS | GAUSSIAN_PRIORS[kind],
            begun,
        ),
        f"gaussian, {kind}, only means and moves": ("GaussianHMM", PLANE, own | {"params": "tm"}, begun),
        f"gmm, {kind}": ("GMMHMM", PLANE, own | {"n_mix": 2}, mixed),
        f"gmm, {kind}, priors": (
            "GMMHMM",
            PLANE,
            own | {"n_mix": 2} | CHAIN_PRIORS | INNER_PRIORS[kind] | INNER_MEANS,
            mixed,
        ),
        f"gmm, {kind}, without means": (
            "GMMHMM",
            PLANE,
            own | {"n_mix": 2, "params": "stcw"},
            mixed | {"means_": NEAR},
        ),
        f"gmm, {kind}, one in each": (
            "GMMHMM",
            PLANE,
            own | {"n_mix": 1},
            {
                "weights_": np.ones((3, 1)),
                "means_": MEANS[:, None],
                "covars_": INNER[kind] if kind == "tied" else INNER[kind][:, :1],
            },
        ),
    }


def pair(name, n_iter=STEPS, **more):
    """Ours and theirs, begun alike and not yet fitted, and the rows."""
    kind, rows, settings, start = CASES[name]
    made = []
    for cls in (OURS[kind], getattr(hmm, kind)):
        model = cls(K, n_iter=n_iter, tol=-np.inf, init_params="", random_state=3, **(settings | more))
        model.startprob_, model.transmat_ = INITIAL.copy(), TRANSITION.copy()
        for attribute, value in start.items():
            setattr(model, attribute, np.array(value))
        made.append(model)
    return (*made, rows, start)


def fitted(model, rows, lengths=LENGTHS):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, lengths)


@pytest.mark.parametrize("name", CASES)
def test_the_same_parameters_after_25_steps(name):
    ours, theirs, rows, start = pair(name)
    fitted(ours, rows)
    theirs.fit(rows, LENGTHS)
    for attribute in ("startprob_", "transmat_", *start):
        expected = getattr(theirs, attribute)
        if name.startswith("gaussian, spherical") and attribute == "covars_":
            # Theirs repeats every state's matrix once for each column after a fit.
            expected = expected[:: 2 if theirs._covars_.ndim == 2 else 1]
        np.testing.assert_allclose(getattr(ours, attribute), expected, **CLOSE, err_msg=attribute)
    np.testing.assert_allclose(ours.monitor_.history, theirs.monitor_.history, rtol=1e-10)
    assert ours.monitor_.iter == theirs.monitor_.iter == STEPS


@pytest.mark.parametrize("name", CASES)
def test_the_same_answers_without_a_fit(name):
    ours, theirs, rows, _ = pair(name)
    if name.startswith("multinomial"):
        theirs.n_trials = rows.sum(axis=1)  # without it theirs answers nothing
    assert ours.score(rows, LENGTHS) == pytest.approx(theirs.score(rows, LENGTHS), rel=1e-11)
    found, expected = ours.score_samples(rows, LENGTHS), theirs.score_samples(rows, LENGTHS)
    assert found[0] == pytest.approx(expected[0], rel=1e-11)
    np.testing.assert_allclose(found[1], expected[1], **CLOSE)
    np.testing.assert_allclose(ours.predict_proba(rows, LENGTHS), expected[1], **CLOSE)
    for algorithm in ("viterbi", "map", None):
        found, expected = (one.decode(rows, LENGTHS, algorithm) for one in (ours, theirs))
        assert found[0] == pytest.approx(expected[0], rel=1e-11)
        np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(ours.predict(rows, LENGTHS), theirs.predict(rows, LENGTHS))


@pytest.mark.parametrize("name", [name for name in CASES if "priors" not in name])
def test_the_same_samples_and_criteria(name):
    ours, theirs, rows, _ = pair(name)
    for model in (ours, theirs):
        if hasattr(model, "n_trials"):
            model.n_trials = 6
        model.n_features = (
            rows.shape[1]
            if model.n_components and "categorical" not in name
            else model.emissionprob_.shape[1]
        )
    (x, z), (x_theirs, z_theirs) = (
        one.sample(50, random_state=np.random.RandomState(5)) for one in (ours, theirs)
    )
    np.testing.assert_array_equal(z, z_theirs)
    np.testing.assert_allclose(x, x_theirs, rtol=1e-12)
    (x, z), (x_theirs, z_theirs) = (one.sample(5, random_state=7, currstate=2) for one in (ours, theirs))
    np.testing.assert_array_equal(z, z_theirs)
    if not (name.startswith("gmm") and ours.n_mix > 1):  # theirs counts the weights of one state only
        assert ours.aic(rows, LENGTHS) == pytest.approx(theirs.aic(rows, LENGTHS), rel=1e-10)
        assert ours.bic(rows, LENGTHS) == pytest.approx(theirs.bic(rows, LENGTHS), rel=1e-10)
    np.testing.assert_allclose(
        ours.get_stationary_distribution(), theirs.get_stationary_distribution(), rtol=1e-10
    )


@pytest.mark.parametrize("name", [name for name in CASES if "priors" not in name and "without" not in name])
def test_the_same_start_and_the_same_stop(name):
    """Equal seeds start alike, and the default rule ends after equally many steps."""
    kind, rows, settings, _ = CASES[name]
    settings = {key: value for key, value in settings.items() if key not in ("params", "n_features")}
    ours, theirs = (cls(K, random_state=8, n_iter=40, **settings) for cls in (OURS[kind], getattr(hmm, kind)))
    fitted(ours, rows)
    theirs.fit(rows, LENGTHS)
    assert ours.monitor_.iter == theirs.monitor_.iter
    np.testing.assert_allclose(ours.transmat_, theirs.transmat_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.monitor_.history, theirs.monitor_.history, rtol=1e-10)
    assert ours.monitor_.converged == theirs.monitor_.converged
