"""BayesianGaussianMixture beyond scikit-learn's: weights, missing cells, bounds, predictive laws, laws of weights, files, messages."""

import pickle
import re
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_t
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura import BayesianGaussianMixture, GaussianMixture, Mixture
from mixtura.components import COVARIANCES, Gaussian
from mixtura.exceptions import InvalidParameterError
from mixtura.priors import DirichletPrior, DirichletProcessPrior, NormalWishartPrior, PitmanYorPrior

KINDS = ("full", "tied", "diag", "spherical")
LAWS = ("dirichlet_process", "dirichlet_distribution", "pitman_yor")


def clusters(seed=0, n=120):
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 0.0], [4.0, 1.0, 0.0], [0.0, 4.0, 3.0]])
    return centres[rng.integers(3, size=n)] + rng.normal(size=(n, 3)) * [1.0, 0.7, 1.3]


ROWS = clusters()


def fit(rows=ROWS, k=4, weight=None, **settings):
    return BayesianGaussianMixture(k, **({"random_state": 0} | settings)).fit(rows, sample_weight=weight)


def same(one, other, tolerance):
    """The same posterior, numbers for numbers."""
    for name in ("weights_", "means_", "covariances_", "mean_precision_", "degrees_of_freedom_"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=tolerance, atol=tolerance, err_msg=name
        )
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, abs=tolerance)


# --- weights and missing cells ------------------------------------------------------------------------------------
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_is_so_many_rows(kind, law):
    weight = np.random.default_rng(1).integers(0, 4, len(ROWS))
    settings = {
        "covariance_type": kind,
        "weight_concentration_prior_type": law,
        "means_init": ROWS[:4],
        "tol": 1e-8,
    }
    weighted = fit(weight=weight, **settings)
    repeated = fit(np.repeat(ROWS, weight, axis=0), **settings)
    # Sums over the same rows in another order, through some hundred steps.
    same(weighted, repeated, 1e-7)
    assert weighted.total_weight_ == weight.sum()


def test_default_priors_of_tiny_weights_are_finite():
    weight = np.full(len(ROWS), 1e-3)
    assert np.isfinite(fit(weight=weight).lower_bound_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_cell_is_integrated_out(kind):
    """A row of missing cells changes the number of rows and nothing else; a start from known rows is kept."""
    gone = ROWS.copy()
    gone[np.random.default_rng(2).random(ROWS.shape) < 0.15] = np.nan
    mixture = fit(gone, covariance_type=kind, tol=1e-7)
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-12)
    proba = mixture.predict_proba(gone)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert np.isfinite(mixture.score_samples(gone)).all()
    assert not np.isnan(mixture.impute(gone)).any()
    empty = np.full((1, 3), np.nan)
    assert mixture.score_samples(empty) == pytest.approx(0.0, abs=1e-12)
    if kind in ("full", "tied"):
        return
    # Independent columns: the observed cells' own normal laws, the number of each component counted once.
    model = mixture._model()
    normal = model.point.components
    cells = -0.5 * (
        (gone[:, None] - model.encoding.origin - normal.mean) ** 2
        / normal.model.variances(normal.covariance, *normal.mean.shape)
        + np.log(2.0 * np.pi * normal.model.variances(normal.covariance, *normal.mean.shape))
    )
    joint = np.nansum(cells, axis=2) + model.structure.log_weights + model.components._offset
    np.testing.assert_allclose(
        proba, np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), rtol=1e-9, atol=1e-12
    )


# --- the bound ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_never_falls(kind, law):
    rows = clusters(3, 60)
    for seed in range(20):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture = fit(
                rows,
                covariance_type=kind,
                weight_concentration_prior_type=law,
                init_params="random" if seed % 2 else "random_from_data",
                random_state=seed,
                tol=1e-9,
                max_iter=60,
                empirical_bayes=seed % 3 == 0,
            )
        # Rounding of a mean over 60 rows.
        assert np.all(np.diff(mixture.lower_bounds_) >= -1e-13 * abs(mixture.lower_bound_)), seed


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", KINDS)
def test_terms_of_the_bound_add_up_and_are_those_of_the_attributes(kind, law):
    mixture = fit(covariance_type=kind, weight_concentration_prior_type=law)
    terms = mixture.lower_bound_terms_
    assert terms["log_evidence"] + terms["weights"] + terms["components"] == pytest.approx(
        terms["lower_bound"]
    )
    assert terms["lower_bound"] == pytest.approx(mixture.lower_bound_ * len(ROWS))
    assert terms["weights"] < 0.0
    assert terms["components"] < 0.0
    # The evidence of the rows given the posterior is what scikit-learn's score sums.
    assert mixture.score_samples(ROWS, plug_in=True).sum() == pytest.approx(terms["log_evidence"], rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_mixture_of_gaussians_with_these_priors(kind):
    """Another class on the same parts, from the same start: the same numbers."""
    scatter = {"full": np.eye(3), "tied": np.eye(3), "diag": np.ones(3), "spherical": 1.0}[kind]
    for law, prior in (
        ("dirichlet_process", DirichletProcessPrior(0.3)),
        ("dirichlet_distribution", DirichletPrior(0.3)),
        ("pitman_yor", PitmanYorPrior(0.3, 0.4)),
    ):
        one = fit(
            covariance_type=kind,
            weight_concentration_prior_type=law,
            weight_concentration_prior=0.3,
            discount_prior=0.4 if law == "pitman_yor" else None,
            mean_prior=np.zeros(3),
            mean_precision_prior=0.5,
            degrees_of_freedom_prior=4.0,
            covariance_prior=scatter,
        )
        other = Mixture(
            Gaussian(model=COVARIANCES[kind]()),
            4,
            prior=NormalWishartPrior(np.zeros(3), 0.5, 4.0, scatter),
            weights_prior=prior,
            random_state=0,
        ).fit(ROWS)
        assert one.lower_bound_ == pytest.approx(other.lower_bound_, abs=1e-9)
        np.testing.assert_allclose(one.predict_proba(ROWS), other.predict_proba(ROWS), atol=1e-8)
        np.testing.assert_allclose(one.score_samples(ROWS), other.score_samples(ROWS), rtol=1e-8)


def test_bounds_choose_the_number_of_components_and_the_covariance():
    bounds = {k: fit(k=k, n_init=2, weight_concentration_prior=1.0).lower_bound_ for k in (1, 2, 3)}
    assert max(bounds, key=bounds.get) == 3
    rng = np.random.default_rng(5)
    round_rows = rng.normal(size=(200, 3)) + np.repeat([[0.0], [6.0]], 100, axis=0)
    by_kind = {kind: fit(round_rows, k=2, covariance_type=kind).lower_bound_ for kind in KINDS}
    assert max(by_kind, key=by_kind.get) == "spherical"


# --- the law of a new row -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_score_samples_is_a_mixture_of_student_laws(kind):
    mixture = fit(covariance_type=kind)
    kappa, nu, d = mixture.mean_precision_, np.broadcast_to(mixture.degrees_of_freedom_, 4), 3
    new = clusters(9, 30)
    parts = np.empty((30, 4))
    for k in range(4):
        grown = (kappa[k] + 1.0) / kappa[k]
        if kind in ("full", "tied"):
            scatter = nu[k] * (mixture.covariances_[k] if kind == "full" else mixture.covariances_)
            df = nu[k] + 1 - d
            parts[:, k] = multivariate_t(mixture.means_[k], grown * scatter / df, df).logpdf(new)
        elif kind == "diag":
            scale = np.sqrt(grown * mixture.covariances_[k])
            parts[:, k] = student_t(nu[k], mixture.means_[k], scale).logpdf(new).sum(axis=1)
        else:
            scale = grown * mixture.covariances_[k] * np.eye(d)
            parts[:, k] = multivariate_t(mixture.means_[k], scale, nu[k] * d).logpdf(new)
    expected = logsumexp(parts + np.log(mixture.weights_), axis=1)
    np.testing.assert_allclose(mixture.score_samples(new), expected, rtol=1e-10)
    assert mixture.score(new) == pytest.approx(expected.mean(), rel=1e-10)
    # Not knowing the parameters costs density where the rows are and gives some far away.
    far = np.full((1, 3), 60.0)
    assert mixture.score_samples(far)[0] > mixture.score_samples(far, plug_in=True)[0] + 10.0


def test_exact_scores_predict_new_rows_better_than_plug_in_ones():
    few = clusters(11, 25)
    mixture = fit(few, k=3)
    new = clusters(12, 4000)
    assert mixture.score_samples(new).mean() > mixture.score_samples(new, plug_in=True).mean() + 0.05


# --- laws of weights ----------------------------------------------------------------------------------------------
def test_pitman_yor_without_discount_is_a_dirichlet_process():
    settings = {"means_init": ROWS[:4], "weight_concentration_prior": 0.7}
    one = fit(weight_concentration_prior_type="pitman_yor", discount_prior=0.0, **settings)
    same(one, fit(weight_concentration_prior_type="dirichlet_process", **settings), 1e-12)


def test_pitman_yor_publishes_sticks_and_discount():
    mixture = fit(weight_concentration_prior_type="pitman_yor", weight_concentration_prior=0.5)
    assert mixture.discount_prior_ == 0.25
    a, b = mixture.weight_concentration_
    assert np.sum(a - 0.75) == pytest.approx(len(ROWS))
    assert b[-1] == pytest.approx(0.5 + 4 * 0.25)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("what", ["weights", "components", True])
def test_empirical_bayes_raises_the_bound_and_publishes_what_it_learnt(law, what):
    settings = {"means_init": ROWS[:4], "weight_concentration_prior_type": law, "tol": 1e-7}
    known, learnt = fit(**settings), fit(**settings, empirical_bayes=what)
    assert learnt.lower_bound_ > known.lower_bound_
    weights = learnt.weight_concentration_prior_ != known.weight_concentration_prior_
    assert weights == (what != "components")
    assert np.array_equal(learnt.covariance_prior_, known.covariance_prior_) == (what == "weights")
    assert (learnt.mean_precision_prior_ == 1.0) == (what == "weights")
    assert learnt.degrees_of_freedom_prior_ == 3.0
    # The attributes are those of the bound.
    terms = learnt.lower_bound_terms_
    assert learnt.score_samples(ROWS, plug_in=True).sum() == pytest.approx(terms["log_evidence"], rel=1e-9)


def separate(n=150):
    """Three clusters far apart."""
    rng = np.random.default_rng(7)
    return rng.normal(size=(n, 2)) + np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])[np.arange(n) % 3]


@pytest.mark.parametrize("law", LAWS)
def test_superfluous_components_keep_their_prior(law):
    mixture = fit(separate(), k=7, weight_concentration_prior=1e-3, weight_concentration_prior_type=law)
    count = mixture.mean_precision_ - mixture.mean_precision_prior_
    empty = count < 0.1
    assert empty.sum() == 4
    np.testing.assert_allclose(mixture.means_[empty], np.tile(mixture.mean_prior_, (4, 1)), atol=0.5)
    assert mixture.weights_[empty].max() < 0.02


def test_components_without_rows_are_not_drawn():
    mixture = fit(separate(), k=7, weight_concentration_prior=1e-3)
    axes = mixture.plot_clusters(separate())
    assert len(axes.patches) == 2 * 3
    drawn = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [text[-2:] for text in drawn[:3]] == [" %)"[-2:]] * 3
    assert len(drawn) == 3 + 2
    line = fit(separate()[:, :1], k=6, weight_concentration_prior=1e-3).plot_density()
    assert len(line.lines) == 2 + 1


# --- starts -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "rule", ["sieve", "kmeans", "k-means++", "random", "random_from_data", "agglomerate"]
)
def test_every_start_finds_clusters_far_apart(rule):
    settings = {"k": 3, "weight_concentration_prior_type": "dirichlet_distribution", "tol": 1e-8, "n_init": 6}
    mixture = fit(separate(), init_params=rule, **settings)
    assert mixture.converged_
    assert mixture.lower_bound_ == pytest.approx(fit(separate(), **settings).lower_bound_, abs=1e-7)


def test_a_warm_start_goes_on_and_follows_new_priors():
    mixture = fit(warm_start=True)
    before = mixture.lower_bound_
    mixture.fit(ROWS)
    assert mixture.n_iter_ <= 2
    assert mixture.lower_bound_ >= before - 1e-12
    mixture.set_params(mean_precision_prior=5.0).fit(ROWS)
    assert mixture.mean_precision_prior_ == 5.0
    assert mixture.mean_precision_.sum() == pytest.approx(len(ROWS) + 4 * 5.0)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_a_fitted_mixture_is_a_start(kind):
    settings = {"weight_concentration_prior_type": "dirichlet_distribution", "tol": 1e-8}
    likelihood = GaussianMixture(3, covariance_type=kind, random_state=0).fit(separate())
    one = fit(separate(), k=3, init_params=likelihood, **settings)
    assert one.lower_bound_ == pytest.approx(fit(separate(), k=3, **settings).lower_bound_, abs=1e-7)
    assert GaussianMixture(3, init_params=one).fit(separate()).converged_
    more = fit(separate(), k=5, init_params=one)
    assert more.weights_.shape == (5,)
    assert clone(more).init_params is one
    with pytest.raises(InvalidParameterError, match="expected a BayesianGaussianMixture with"):
        fit(k=3, init_params=mixtura.StudentTMixture(3, random_state=0).fit(ROWS))


def test_given_values_are_a_start():
    mixture = fit(
        k=2, weights_init=[0.5, 0.5], means_init=[[0.0, 0, 0], [4.0, 1, 0]], precisions_init=[np.eye(3)] * 2
    )
    assert [start.name for start in mixture.starts_] == ["given"]
    assert np.argmin(mixture.means_[:, 0]) == 0


def test_known_labels_are_kept():
    labels = np.full(len(ROWS), -1)
    labels[:6] = [2, 2, 2, 0, 0, 1]
    mixture = BayesianGaussianMixture(3, random_state=0).fit(ROWS, labels=labels)
    assert mixture.converged_
    assert mixture.mean_precision_.sum() == pytest.approx(len(ROWS) + 3.0)


# --- the estimator ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_comes_back(tmp_path, kind, law):
    mixture = fit(covariance_type=kind, weight_concentration_prior_type=law, mean_prior=[0.0, 1.0, 2.0])
    loaded = mixtura.load(mixture.save(tmp_path / "model.mixtura"))
    for other in (loaded, pickle.loads(pickle.dumps(mixture))):
        assert type(other) is BayesianGaussianMixture
        for name, value in vars(mixture).items():
            if name.endswith("_") and not name.startswith("_"):
                np.testing.assert_equal(getattr(other, name), value, err_msg=name)
        np.testing.assert_array_equal(other.score_samples(ROWS), mixture.score_samples(ROWS))
        np.testing.assert_array_equal(other.predict_proba(ROWS), mixture.predict_proba(ROWS))
        assert other.lower_bound_terms_ == mixture.lower_bound_terms_
        assert other.summary() == mixture.summary()
    assert loaded.get_params()["mean_prior"] == [0.0, 1.0, 2.0]
    np.testing.assert_array_equal(loaded.set_params(warm_start=True).fit(ROWS).mean_prior_, [0.0, 1.0, 2.0])


def test_a_clone_has_the_settings_and_no_results():
    mixture = fit(
        mean_prior=[0.0, 0.0, 1.0], discount_prior=0.1, weight_concentration_prior_type="pitman_yor"
    )
    other = clone(mixture)
    assert not hasattr(other, "means_")
    assert other.get_params() == mixture.get_params()


def test_names_of_columns_are_kept():
    pd = pytest.importorskip("pandas")
    mixture = fit(pd.DataFrame(ROWS, columns=["a", "b", "c"]))
    assert list(mixture.feature_names_in_) == ["a", "b", "c"]
    assert set(mixture.params_frame()["feature"]) >= {"a", "b", "c"}
    marginal = mixture.marginal(["b"])
    assert marginal.score_samples(pd.DataFrame(ROWS[:3, [1]], columns=["b"])).shape == (3,)


def test_float32_rows_have_float64s_posterior():
    one, other = fit(ROWS.astype(np.float32)), fit(ROWS)
    assert one.means_.dtype == np.float32
    np.testing.assert_allclose(one.lower_bound_, other.lower_bound_, rtol=1e-5)


def test_callbacks_and_a_budget_end_a_run():
    seen = []
    fit(callbacks=[seen.append], init_params="kmeans", max_iter=3, tol=1e3)
    assert seen
    assert fit(callbacks=[lambda _: True], init_params="kmeans").stop_reason_ == "stopped"
    with pytest.warns(ConvergenceWarning, match="time_budget"):
        assert fit(time_budget=1e-9, init_params="kmeans").stop_reason_ == "time"


def test_a_constant_column_and_equal_rows_are_no_problem():
    rows = np.column_stack([ROWS, np.full(len(ROWS), 7.0)])
    assert np.isfinite(fit(rows, k=2).lower_bound_)
    assert np.isfinite(fit(np.repeat([[1.0, 2.0]], 10, axis=0), k=2).lower_bound_)


def test_added_variance_is_added():
    plain, added = fit(k=1), fit(k=1, reg_covar=0.5)
    share = len(ROWS) / plain.degrees_of_freedom_[0]
    np.testing.assert_allclose(
        added.covariances_[0], plain.covariances_[0] + 0.5 * share * np.eye(3), rtol=1e-10
    )


# --- messages -----------------------------------------------------------------------------------------------------
BAD = {
    "degrees of freedom": ({"degrees_of_freedom_prior": 2.0}, r"degrees_of_freedom_prior is 2; .*above 2"),
    "degrees of freedom, diagonal": (
        {"degrees_of_freedom_prior": 0.0, "covariance_type": "diag"},
        r"degrees_of_freedom_prior is 0; .*above 0",
    ),
    "mean precision": ({"mean_precision_prior": -1.0}, r"mean_precision_prior is -1; .*above 0"),
    "mean": ({"mean_prior": [0.0, 1.0]}, r"mean_prior has shape \(2,\); .*3 columns"),
    "mean, not finite": ({"mean_prior": [0.0, 1.0, np.nan]}, r"mean_prior is .*nan.*finite"),
    "concentration": ({"weight_concentration_prior": 0.0}, r"weight_concentration_prior is 0; .*above 0"),
    "concentration, text": ({"weight_concentration_prior": "low"}, r"weight_concentration_prior is 'low'"),
    "concentration of a discount": (
        {
            "weight_concentration_prior": -0.5,
            "discount_prior": 0.25,
            "weight_concentration_prior_type": "pitman_yor",
        },
        r"weight_concentration_prior is -0.5; .*above -0.25",
    ),
    "discount": (
        {"discount_prior": 1.0, "weight_concentration_prior_type": "pitman_yor"},
        r"discount_prior is 1.0; .*below 1",
    ),
    "discount below": (
        {"discount_prior": -0.1, "weight_concentration_prior_type": "pitman_yor"},
        r"discount_prior is -0.1; .*from 0",
    ),
    "discount of another law": ({"discount_prior": 0.2}, r"discount_prior is 0.2, but .*dirichlet_process"),
    "scatter, shape": ({"covariance_prior": np.eye(2)}, r"covariance_prior has shape \(2, 2\); .*\(3, 3\)"),
    "scatter, shape of a diagonal": (
        {"covariance_prior": np.eye(3), "covariance_type": "diag"},
        r"covariance_prior has shape \(3, 3\); .*\(3,\)",
    ),
    "scatter, indefinite": (
        {"covariance_prior": np.diag([1.0, 1.0, -2.0])},
        r"covariance_prior is not .*positive definite \(smallest eigenvalue -2\)",
    ),
    "scatter, asymmetric": (
        {"covariance_prior": np.eye(3) + np.triu(np.ones((3, 3)), 1)},
        r"covariance_prior is not symmetric",
    ),
    "scatter, zero": (
        {"covariance_prior": 0.0, "covariance_type": "spherical"},
        r"covariance_prior is not .*positive",
    ),
    "law": (
        {"weight_concentration_prior_type": "dirichlet"},
        r"weight_concentration_prior_type is 'dirichlet'.*dirichlet_",
    ),
    "what is learnt": (
        {"empirical_bayes": "concentration"},
        r"empirical_bayes is 'concentration'.*'weights'",
    ),
    "structure": ({"covariance_type": "VVE"}, r"covariance_type is 'VVE'.*(full|tied|diag|spherical)"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_hyper_parameter_is_named_with_its_value_and_bound(name):
    settings, pattern = BAD[name]
    with pytest.raises(InvalidParameterError) as caught:
        fit(**settings)
    assert re.search(pattern, str(caught.value)), str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("far", "spread"), [(1e4, 1e-3), (1e5, 1e-3), (0.0, 1.0)])
def test_tight_clusters_far_apart_under_a_tight_prior(kind, far, spread):
    """Scatters of which one direction is nearly lost in the other's rounding: no step fails, and no rounding is taken for a bug."""
    rng = np.random.default_rng(4)
    rows = spread * rng.normal(size=(1000, 2)) + np.where(np.arange(1000) % 2, far, -far)[:, None]
    unit = {"full": np.eye(2), "tied": np.eye(2), "diag": np.ones(2), "spherical": 1.0}[kind]
    mixture = fit(rows, k=3, covariance_type=kind, covariance_prior=spread**2 * unit)
    assert mixture.converged_
    if far:
        assert np.sort(mixture.weights_)[1:] == pytest.approx([0.5, 0.5], abs=0.01)
        assert np.ptp(mixture.predict(rows)[::2]) == 0
    assert np.isfinite(mixture.score_samples(rows)).all()


def test_float32_blocks_give_nearly_the_same_posterior():
    one, other = fit(separate(), k=3, dtype="float32"), fit(separate(), k=3)
    for axis in (0, 1):  # clusters of one size may change places
        np.testing.assert_allclose(np.sort(one.means_[:, axis]), np.sort(other.means_[:, axis]), atol=1e-3)
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, abs=1e-4)
