"""What the pictures show, read back from the axes."""

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Ellipse
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture

from mixtura import exceptions
from mixtura.plots import plot_clusters, plot_density, plot_history, plot_selection
from mixtura.plots.style import colours, covariance_matrices

KINDS = ["full", "tied", "diag", "spherical"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def line():
    rng = np.random.default_rng(0)
    return np.r_[rng.normal(0, 1, 300), rng.normal(6, 0.3, 100)][:, None]


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(1)
    wide = rng.multivariate_normal([0, 0], [[3, 2], [2, 2]], 200)
    return np.r_[wide, rng.multivariate_normal([6, -2], [[1, -0.8], [-0.8, 1]], 100)]


def _start(objective, history, seed=0, reason="converged"):
    return SimpleNamespace(objective=objective, history=history, seed=seed, reason=reason)


@pytest.mark.parametrize("kind", KINDS)
def test_density_curves_add_up_to_the_mixture(line, kind):
    mixture = GaussianMixture(2, covariance_type=kind, random_state=0).fit(line)
    ax = plot_density(mixture, line)
    curves = {curve.get_label(): curve for curve in ax.get_lines()}
    parts = [curve for label, curve in curves.items() if label.startswith("component")]
    grid, total = curves["mixture"].get_data()
    assert len(parts) == 2
    np.testing.assert_allclose(sum(part.get_ydata() for part in parts), total, rtol=1e-12)
    np.testing.assert_allclose(total, np.exp(mixture.score_samples(grid[:, None])), rtol=1e-9, atol=1e-300)
    assert np.trapezoid(total, grid) == pytest.approx(1, abs=2e-3)  # the grid ends at 3.5 standard deviations
    assert sum(patch.get_height() * patch.get_width() for patch in ax.patches) == pytest.approx(1)


def test_density_of_one_of_several_features_is_the_marginal(plane):
    mixture = GaussianMixture(2, random_state=0).fit(plane)
    ax = plot_density(mixture, plane, feature=1)
    assert ax.get_xlabel() == "feature 1"
    total = next(curve for curve in ax.get_lines() if curve.get_label() == "mixture")
    assert np.trapezoid(*total.get_data()[::-1]) == pytest.approx(1, abs=2e-3)


def test_density_keeps_a_narrow_peak():
    mixture = GaussianMixture(2)
    mixture.weights_, mixture.means_ = np.array([0.5, 0.5]), np.array([[0.0], [500.0]])
    mixture.covariances_ = np.array([[[1e4]], [[1e-4]]])
    ax = plot_density(mixture)
    assert max(curve.get_ydata().max() for curve in ax.get_lines()) == pytest.approx(
        0.5 / np.sqrt(2e-4 * np.pi), rel=1e-3
    )


def test_feature_names_become_labels(line):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(line, columns=["waiting time"])
    ax = plot_density(GaussianMixture(2, random_state=0).fit(frame), frame)
    assert ax.get_xlabel() == "waiting time"


@pytest.mark.parametrize("kind", KINDS)
def test_clusters_have_ellipses_of_one_and_two_standard_deviations(plane, kind):
    mixture = GaussianMixture(2, covariance_type=kind, random_state=0).fit(plane)
    ax = plot_clusters(mixture, plane)
    ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
    assert len(ellipses) == 4
    matrices = covariance_matrices(mixture.covariances_, kind, mixture.means_.shape)
    for ellipse in ellipses:
        k = int(np.argmin(np.linalg.norm(mixture.means_ - ellipse.center, axis=1)))
        edge = ellipse.get_patch_transform().transform([[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]])
        unit = edge - mixture.means_[k]
        distances = np.sqrt(np.einsum("ij,jk,ik->i", unit, np.linalg.inv(matrices[k]), unit))
        np.testing.assert_allclose(distances, np.round(distances[0]), rtol=1e-9)
        assert round(distances[0]) in {1, 2}
    assert {text.get_text() for text in ax.texts} == {"0", "1"}


def test_points_wear_the_blend_of_their_responsibilities(plane):
    mixture = GaussianMixture(2, random_state=0).fit(plane)
    ax = plot_clusters(mixture, plane)
    shown = ax.collections[0].get_facecolors()[:, :3]
    np.testing.assert_allclose(shown, mixture.predict_proba(plane) @ colours(2), atol=1e-12)


def test_many_points_are_thinned(plane):
    mixture = GaussianMixture(2, random_state=0).fit(plane)
    ax = plot_clusters(mixture, plane, max_points=50)
    assert len(ax.collections[0].get_offsets()) == 50


def test_given_axes_are_used_and_returned(line, plane):
    _, (left, right) = plt.subplots(1, 2)
    assert plot_density(GaussianMixture(2, random_state=0).fit(line), ax=left) is left
    assert plot_clusters(GaussianMixture(2, random_state=0).fit(plane), plane, ax=right) is right


def test_wrong_dimension_says_which_plot_to_use(line, plane):
    one, two = (GaussianMixture(2, random_state=0).fit(x) for x in (line, plane))
    three = GaussianMixture(1).fit(np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(exceptions.InvalidParameterError, match=r"mixture of 2.*feature=0.*plot_clusters"):
        plot_density(two, plane)
    with pytest.raises(exceptions.InvalidParameterError, match=r"found a mixture of 1\. Use plot_density"):
        plot_clusters(one, line)
    with pytest.raises(exceptions.InvalidParameterError, match=r"found a mixture of 3.*features=\(0, 1\)"):
        plot_clusters(three, np.zeros((2, 3)))
    with pytest.raises(exceptions.InvalidParameterError, match=r"features: found \(0, 3\), expected two"):
        plot_clusters(three, np.zeros((2, 3)), features=(0, 3))
    with pytest.raises(exceptions.InvalidParameterError, match="feature: found 7, expected 0 to 1"):
        plot_density(two, feature=7)
    with pytest.raises(exceptions.InvalidDataError, match=r"found shape \(5, 3\), expected \(n_samples, 2\)"):
        plot_clusters(two, np.zeros((5, 3)))


def test_unfitted_and_other_components_are_refused(line):
    with pytest.raises(NotFittedError):
        plot_density(GaussianMixture(2))
    with pytest.raises(NotFittedError):
        plot_history(GaussianMixture(2))
    other = GaussianMixture(2).fit(line)
    del other.means_
    with pytest.raises(exceptions.InvalidParameterError, match="without means_, expected a fitted Gauss"):
        plot_density(other)


def test_history_shows_every_start_and_marks_the_best():
    starts = [
        _start(-2.0, [-9.0, -4.0, -2.5, -2.0], seed=1),
        _start(-1.5, [-9.5, -3.0, -1.6, -1.5], seed=2, reason="max_iter"),
        _start(-np.inf, [], seed=3, reason="degenerate"),
    ]
    ax = plot_history(SimpleNamespace(starts_=starts))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["best: −1.5 (seed 2, max iter)", "other start", "stopped before it converged"]
    best = next(curve for curve in ax.get_lines() if curve.get_label().startswith("best"))
    np.testing.assert_array_equal(best.get_ydata(), starts[1].history)
    low, high = ax.get_ylim()
    assert low < -2.0
    assert high > -1.5


def test_history_continues_the_short_runs_of_a_sieve():
    starts = [
        _start(-5.0, [-9.0, -7.0, -5.0], seed=3, reason="screened"),
        _start(-4.0, [-9.0, -6.0, -4.0], seed=2, reason="screened"),
        _start(-2.0, [-3.0, -2.0], seed=1),
    ]
    ax = plot_history(SimpleNamespace(starts_=starts))
    curves = {curve.get_label(): curve for curve in ax.get_lines()}
    np.testing.assert_array_equal(curves["best: −2 (seed 1, converged)"].get_xdata(), [2, 3])
    assert "2 short runs, to find starts" in curves
    assert not [label for label in curves if "other" in label or "stopped" in label]


def test_history_without_starts_says_so():
    with pytest.raises(exceptions.InvalidParameterError, match=r"found none with a history.*after fit"):
        plot_history(SimpleNamespace(starts_=[]))


def _table(line):
    rows = []
    for kind in ("full", "tied"):
        for count in (1, 2, 3):
            mixture = GaussianMixture(count, covariance_type=kind, random_state=0).fit(line)
            score = mixture.score(line)
            rows.append(
                {
                    "n_components": count,
                    "covariance_type": kind,
                    "bic": mixture.bic(line),
                    "aic": mixture.aic(line),
                    "icl": None,
                    "log_likelihood": score * len(line),
                    "n_parameters": mixture._n_parameters(),
                    "starts": [score - 0.02, score, float("nan")],
                    "chosen": (count, kind) == (2, "full"),
                }
            )
    return rows


@pytest.mark.parametrize("known_size", [True, False])
def test_selection_draws_lines_spread_and_choice(line, known_size):
    table = _table(line)
    if not known_size:
        for row in table:
            del row["n_parameters"]
    ax = plot_selection(SimpleNamespace(table=table, criterion="bic", at_edge=False))
    curves = {curve.get_label(): curve for curve in ax.get_lines()}
    np.testing.assert_allclose(curves["full"].get_ydata(), [row["bic"] for row in table[:3]])
    dots = [curve for curve in ax.get_lines() if curve.get_marker() == "."]
    assert len(dots) == 6
    # 400 rows, 0.02 nats per row lower: 2 * 400 * 0.02 = 16 above the best start.
    assert dots[0].get_ydata()[0] - table[0]["bic"] == pytest.approx(16, rel=1e-6)
    assert ax.get_title(loc="left") == "chosen: 2, full"


def test_selection_says_the_edge_aloud_and_draws_likelihood_downwards(line):
    table = _table(line)
    ax = plot_selection(SimpleNamespace(table=table, at_edge=True), criterion="log_likelihood")
    assert "at the edge of the range tried" in ax.get_title(loc="left")
    assert ax.get_ylabel() == "Log-likelihood (higher is better)"
    dots = [curve for curve in ax.get_lines() if curve.get_marker() == "."]
    assert dots[0].get_ydata()[0] - table[0]["log_likelihood"] == pytest.approx(-8, rel=1e-6)


def test_selection_without_the_criterion_suggests_one(line):
    selection = SimpleNamespace(table=_table(line), criterion="bic")
    with pytest.raises(exceptions.InvalidParameterError, match=r"found 'bik'.*Did you mean 'bic'"):
        plot_selection(selection, criterion="bik")
    with pytest.raises(exceptions.InvalidParameterError, match=r"found 'bic'.*0 rows.*select"):
        plot_selection(SimpleNamespace(table=[]))


def test_colours_differ():
    for count in (1, 8, 9, 30, 80):
        found = colours(count)
        assert found.shape == (count, 3)
        assert len(np.unique(found.round(6), axis=0)) == count


def test_missing_matplotlib_names_what_to_install(monkeypatch, line):
    mixture = GaussianMixture(1).fit(line)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(exceptions.MissingExtraError, match=r'pip install "mixtura\[plots\]"'):
        plot_density(mixture)
