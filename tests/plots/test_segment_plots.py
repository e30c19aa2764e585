"""Trees, triangles, visits, words and profiles, read back from the axes."""

import itertools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse as sp
from matplotlib.colors import to_rgb
from sklearn.exceptions import NotFittedError

from mixtura import MultinomialMixture, exceptions
from mixtura.plots import plot_dendrogram, plot_profiles, plot_simplex, plot_visits, plot_words
from mixtura.plots.style import colours
from mixtura.plots.words import place_boxes
from mixtura.selection.tree import SegmentTree

GREY = to_rgb("#8793a0")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(0)
    profiles = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]])
    X = np.array([rng.multinomial(20, profiles[k]) for k in rng.integers(0, 4, 120)])
    return X, MultinomialMixture(4, random_state=0, init_params="random").fit(X)


@pytest.fixture(scope="module")
def tree(shop):
    return SegmentTree(shop[1]).fit(shop[0])


# --- the tree -----------------------------------------------------------------------------------------------------
def test_dendrogram_draws_every_merge_at_its_height(tree):
    ax = tree.plot_dendrogram(names=["a", "b", "c", "d"])
    ends = sorted({float(line.get_xdata()[-1]) for line in ax.get_lines()})
    np.testing.assert_allclose(ends, np.unique(tree.heights_), rtol=1e-12)
    assert len(ax.get_lines()) == 6
    assert ax.get_xlabel() == "Log-likelihood lost (nats)"
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(label[0] for label in labels) == ["a", "b", "c", "d"]
    shares = {label[0]: label.split("  ")[1] for label in labels}
    assert shares["a"] == f"{100 * tree.weights_[0]:.0f} %"


def test_dendrogram_has_no_crossing_branches(tree):
    ax = plot_dendrogram(tree)
    order = [int(label.get_text().split()[0]) for label in ax.get_yticklabels()]
    for n in (2, 3):
        labels = tree.cut(n).labels[order]
        assert len([1 for _ in itertools.groupby(labels)]) == n  # groups lie side by side


def test_a_cut_colours_the_groups(tree):
    ax = plot_dendrogram(tree, cut=2)
    order = [int(label.get_text().split()[0]) for label in ax.get_yticklabels()]
    dots = dict(zip(range(4), map(tuple, ax.collections[0].get_facecolors()[:, :3]), strict=True))
    labels = tree.cut(2).labels
    for one, other in itertools.combinations(range(4), 2):
        assert (dots[one] == dots[other]) == (labels[one] == labels[other])
    np.testing.assert_allclose(dots[order[0]], colours(2)[0])
    dashed = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    assert tree.heights_[1] < dashed[0].get_xdata()[0] < tree.heights_[2]
    assert "2 groups" in {text.get_text() for text in ax.texts}
    assert GREY not in {tuple(np.round(to_rgb(line.get_color()), 9)) for line in ax.get_lines()} - {GREY}
    for all_or_none in (1, 4):
        assert not [
            line
            for line in plot_dendrogram(tree, cut=all_or_none).get_lines()
            if line.get_linestyle() == "--"
        ]


def test_dendrogram_of_one_component_and_wrong_arguments(shop, tree):
    alone = SegmentTree(MultinomialMixture(1).fit(shop[0])).fit(shop[0])
    ax = plot_dendrogram(alone)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0  100 %"]
    with pytest.raises(exceptions.InvalidParameterError, match=r"names: found 2, expected 4"):
        plot_dendrogram(tree, names=["a", "b"])
    with pytest.raises(exceptions.InvalidParameterError, match=r"cut: found 9, .*1 to 4"):
        plot_dendrogram(tree, cut=9)
    with pytest.raises(NotFittedError):
        plot_dendrogram(SegmentTree(shop[1]))


def test_long_names_leave_room_for_the_tree(tree):
    for width in (3.4, 8.0):
        figure, ax = plt.subplots(figsize=(width, 3), layout="constrained")
        plot_dendrogram(tree, ax=ax, names=["a rather long name of a mission, with more"] * 4)
        figure.canvas.draw()
        assert ax.get_position().width > 0.3


# --- the triangle -------------------------------------------------------------------------------------------------
def test_simplex_puts_shares_where_they_belong():
    corners = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    ax = plot_simplex([[5, 0, 0], [0, 2, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]], names=["a", "b", "c"])
    drawn = ax.collections[0].get_offsets()
    np.testing.assert_allclose(drawn, [*corners, corners.mean(axis=0)], atol=1e-12)
    assert {"a", "b", "c"} <= {text.get_text() for text in ax.texts}


def test_simplex_of_a_mixture_shows_profiles_and_blends(shop):
    X, mixture = shop
    ax = plot_simplex(sp.csr_matrix(X), mixture)
    numbers = {text.get_text(): text for text in ax.texts if text.get_text() in {"0", "1", "2", "3"}}
    corners = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    for k, profile in enumerate(mixture.profiles_):
        np.testing.assert_allclose(numbers[str(k)].xy, profile @ corners)
    shown = ax.collections[0].get_facecolors()[:, :3]
    np.testing.assert_allclose(shown, mixture.predict_proba(X) @ colours(4), atol=1e-12)
    assert len(plot_simplex(X, max_points=10).collections[0].get_offsets()) == 10


@pytest.mark.parametrize("density", [True, [[4.0, 2.0, 1.0]], np.full((2, 5), 0.5)])
def test_simplex_contours_hold_their_share_of_the_rows(density):
    rng = np.random.default_rng(2)
    alpha = np.array([4.0, 2.0, 1.0]) if density is True else np.atleast_2d(density)[0][:3]
    rows = rng.dirichlet(alpha, 4000)
    table = (
        rows if density is True or np.shape(density)[1] == 3 else np.column_stack([rows, np.zeros((4000, 2))])
    )
    ax = plot_simplex(table, features=(0, 1, 2), density=density)
    contours = next(c for c in ax.collections if hasattr(c, "levels") and c.filled)
    outermost = contours.get_paths()
    inside = np.zeros(4000, dtype=bool)
    points = rows @ np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    for path in outermost:
        inside |= path.contains_points(points)
    # The widest contour is of 95 %; smoothing and the grid of steps of a hundredth blur it.
    assert 0.9 < inside.mean() <= 1.0


def test_simplex_says_what_to_do():
    with pytest.raises(exceptions.InvalidParameterError, match=r"found 4\. Choose three with features"):
        plot_simplex(np.ones((3, 4)))
    with pytest.raises(exceptions.InvalidParameterError, match=r"features: found \(0, 1, 1\)"):
        plot_simplex(np.ones((3, 4)), features=(0, 1, 1))
    with pytest.raises(exceptions.InvalidDataError, match=r"no row with a positive sum"):
        plot_simplex(np.zeros((3, 3)))
    with pytest.raises(exceptions.InvalidDataError, match=r"smallest value of -1"):
        plot_simplex([[1.0, -1.0, 2.0]])
    with pytest.raises(exceptions.InvalidDataError, match=r"fewer than 4 different"):
        plot_simplex(np.ones((9, 3)), density=True)
    with pytest.raises(exceptions.InvalidParameterError, match=r"Dirichlet parameters \(K, 3\)"):
        plot_simplex(np.ones((9, 3)), density=[[1.0, 0.0, 2.0]])
    with pytest.raises(exceptions.InvalidParameterError, match=r"names: found 1, expected 3"):
        plot_simplex(np.ones((9, 3)), names=["a"])


# --- visits -------------------------------------------------------------------------------------------------------
def test_visits_are_stacked_to_one_in_the_order_of_their_times():
    resp = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.5, 0.25, 0.25]])
    times = np.array(["2017-03-02", "2017-01-05", "2017-02-01"], dtype="datetime64[D]")
    ax = plot_visits(resp, times=times, names=["shop", "lunch", "fuel"])
    heights = {box.get_label(): [bar.get_height() for bar in box] for box in ax.containers}
    np.testing.assert_allclose(heights["shop (53 %)"], [0.2, 0.5, 0.9])
    np.testing.assert_allclose(np.sum(list(heights.values()), axis=0), 1.0)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2017-01-05", "2017-02-01", "2017-03-02"]


def test_rare_missions_are_drawn_together():
    resp = np.full((4, 12), 1 / 12)
    ax = plot_visits(resp, n_shown=3)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["mission 0 (8 %)", "mission 1 (8 %)", "mission 2 (8 %)", "other missions (75 %)"]
    assert len(plot_visits(resp, n_shown=11).containers) == 12  # a single one is no group


def test_many_visits_are_averaged():
    resp = np.random.default_rng(0).dirichlet(np.ones(3), 405)
    ax = plot_visits(resp)
    assert ax.get_xlabel() == "Visits in their order (405, a bar is the mean of 6)"
    first = {box.get_label().split()[1]: box[0] for box in ax.containers}
    for k in range(3):
        assert first[str(k)].get_height() == pytest.approx(resp[:6, k].mean())
    assert len(ax.containers[0]) == 68


def test_visits_say_what_to_do():
    with pytest.raises(exceptions.InvalidDataError, match=r"shape \(2, 2\), sums from 0\.5"):
        plot_visits([[0.5, 0.5], [0.25, 0.25]])
    with pytest.raises(exceptions.InvalidDataError, match=r"shape \(0,\); expected"):
        plot_visits([])
    with pytest.raises(exceptions.InvalidParameterError, match=r"times: found shape \(1,\), expected \(2,\)"):
        plot_visits([[1.0, 0.0], [0.0, 1.0]], times=[1])


# --- words --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.5])
def test_boxes_do_not_overlap_and_keep_the_proportions(aspect):
    rng = np.random.default_rng(1)
    sizes = np.column_stack([rng.uniform(0.5, 6, 40), rng.uniform(0.3, 1.5, 40)])
    centres = place_boxes(sizes, aspect)
    for one, other in itertools.combinations(range(40), 2):
        apart = np.abs(centres[one] - centres[other]) - (sizes[one] + sizes[other]) / 2
        assert apart.max() > -1e-9
    width, height = np.ptp(np.concatenate([centres - sizes / 2, centres + sizes / 2]), axis=0)
    assert 0.5 * aspect < width / height < 2.5 * aspect
    assert np.prod(sizes, axis=1).sum() > 0.3 * width * height  # packed, not scattered
    np.testing.assert_array_equal(centres, place_boxes(sizes, aspect))


def test_words_do_not_overlap_and_tell_the_share():
    rng = np.random.default_rng(3)
    share = rng.dirichlet(np.full(60, 0.5))
    names = [f"category {'x' * (k % 9)}{k}" for k in range(60)]
    ax = plot_words(share, names=names, n_words=25)
    assert [patch.get_label() for patch in ax.patches] == [names[k] for k in np.argsort(-share)[:25]]
    boxes = [patch.get_path().get_extents() for patch in ax.patches]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    heights = [box.height for box in boxes]
    assert heights[0] == max(heights)
    assert min(heights) > 0.2 * heights[0]  # readable


def test_words_by_lift_are_the_typical_ones():
    base = np.array([0.5, 0.3, 0.15, 0.05])
    ax = plot_words([0.4, 0.2, 0.2, 0.2], base=base, names=["bread", "milk", "beer", "crisps"], size="lift")
    assert [patch.get_label() for patch in ax.patches] == ["crisps", "beer"]
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "at least twice the average",
        "above the average",
    ]


def test_words_say_what_to_do():
    names = ["a", "b"]
    with pytest.raises(exceptions.InvalidDataError, match=r"profile: found shape \(2,\) with a sum of 0"):
        plot_words([0.0, 0.0], names=names)
    with pytest.raises(exceptions.InvalidParameterError, match=r"size: found 'lifts'\. Did you mean 'lift'"):
        plot_words([0.5, 0.5], names=names, size="lifts")
    with pytest.raises(exceptions.InvalidParameterError, match=r"found no base"):
        plot_words([0.5, 0.5], names=names, size="lift")
    with pytest.raises(exceptions.InvalidParameterError, match=r"base: found 3 categories, expected 2"):
        plot_words([0.5, 0.5], names=names, base=[1, 1, 1])
    with pytest.raises(exceptions.InvalidParameterError, match=r"names: found 1, expected 2"):
        plot_words([0.5, 0.5], names=["a"])
    with pytest.raises(exceptions.InvalidDataError, match=r"no category with a lift above 1"):
        plot_words([0.5, 0.5], names=names, base=[1, 1], size="lift")


# --- profiles -----------------------------------------------------------------------------------------------------
def test_profiles_show_the_largest_categories_of_every_component(shop):
    X, mixture = shop
    base = X.sum(axis=0)
    axes = plot_profiles(mixture, features=["bread", "milk", "beer"], base=base, n_top=2)
    assert axes.shape == (4,)
    for k, ax in enumerate(axes):
        best = np.argsort(-mixture.profiles_[k])[:2]
        assert [label.get_text() for label in ax.get_yticklabels()] == [
            ["bread", "milk", "beer"][j] for j in best
        ]
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], mixture.profiles_[k][best])
        lines = [segment[0, 0] for segment in ax.collections[0].get_segments()]
        np.testing.assert_allclose(lines, (base / base.sum())[best])
        assert ax.get_title(loc="left").startswith(f"{100 * mixture.weights_[k]:.0f}\u00a0%")
    assert len({ax.get_xlim() for ax in axes}) == 1
    # The largest component comes first in the picture.
    assert axes[int(np.argmax(mixture.weights_))] is axes[0].get_figure().axes[0]


def test_profiles_use_given_axes_and_say_what_to_do(shop):
    _, mixture = shop
    _, given = plt.subplots(2, 2)
    assert set(plot_profiles(mixture, axes=given, base=False)) == set(given.ravel())
    with pytest.raises(exceptions.InvalidParameterError, match=r"axes: found 1, expected 4"):
        plot_profiles(mixture, axes=plt.subplots()[1])
    with pytest.raises(exceptions.InvalidParameterError, match=r"base: found shape \(2,\)"):
        plot_profiles(mixture, base=[1.0, 2.0])
    with pytest.raises(exceptions.InvalidParameterError, match=r"without profiles_.*plot_clusters"):
        plot_profiles(SimpleNamespace(weights_=[1.0]))
    with pytest.raises(NotFittedError):
        plot_profiles(MultinomialMixture(2))
