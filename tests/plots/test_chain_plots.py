"""Pictures of chains, read back from the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from mixtura import HMM
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import Normal
from mixtura.plots import plot_states, plot_transition_diagram, plot_transitions

MOVES = np.array([[0.9, 0.08, 0.02], [0.05, 0.8, 0.15], [0.3, 0.0, 0.7]])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def test_the_table_says_every_probability_and_colours_what_leaves():
    ax = plot_transitions(MOVES, names=["a", "b", "c"])
    assert [text.get_text() for text in ax.texts][:3] == ["90 %", "8 %", "2 %"]
    shown = ax.images[0].get_array()
    assert shown.mask.diagonal().all()
    np.testing.assert_allclose(shown[0, 1:], [0.8, 0.2])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    many = plot_transitions(np.eye(20))
    assert not many.texts  # there is no room
    np.testing.assert_array_equal(many.images[0].get_array().filled(0.0), 0.0)  # nothing ever leaves


def test_the_diagram_has_an_arrow_for_every_move_that_counts():
    ax = plot_transition_diagram(MOVES, shares=[0.6, 0.3, 0.1])
    assert len(arrows(ax)) == 5  # one of the six is impossible
    assert len(arrows(plot_transition_diagram(MOVES, least=0.5))) == 3
    rings = [patch.radius for patch in ax.patches if hasattr(patch, "radius")]
    assert rings[0] > rings[2] > rings[4]
    assert not arrows(plot_transition_diagram([[1.0]]))
    texts = [text.get_text() for text in plot_transition_diagram([[0.9995, 0.0005], [0.004, 0.996]]).texts]
    assert texts[2:] == ["<0.1 %", "0.4 %"] or texts[2:] == ["0.1 %", "0.4 %"]


def test_states_fill_the_height_and_the_line_is_the_data():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    ax = plot_states(probabilities, np.arange(100.0).reshape(50, 2), column=1, names=["a", "b", "c"])
    (line,) = ax.figure.axes[1].lines
    np.testing.assert_array_equal(line.get_ydata(), np.arange(1.0, 100.0, 2.0))
    assert ax.collections[-1].get_paths()[0].vertices[:, 1].max() == pytest.approx(1.0)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    days = np.datetime64("2024-01-01") + np.arange(50)
    assert plot_states(probabilities, times=days).get_xlabel() == "Time"
    long = plot_states(np.full((5000, 2), 0.5))
    assert len(long.collections[0].get_paths()[0].vertices) < 10_000  # means of successive steps


def test_what_is_no_chain_is_refused():
    for wrong in (np.ones((2, 2)), np.ones((2, 3)) / 3, object()):
        with pytest.raises(InvalidParameterError, match="rows sum to one"):
            plot_transitions(wrong)
    with pytest.raises(InvalidParameterError, match="names: found 1, expected 2"):
        plot_transition_diagram(np.eye(2), names=["a"])
    with pytest.raises(InvalidDataError, match="rows that sum to one"):
        plot_states(np.ones((3, 2)))
    with pytest.raises(InvalidDataError, match="values: found shape"):
        plot_states(np.full((3, 2), 0.5), np.ones(4))
    with pytest.raises(InvalidParameterError, match="times: found shape"):
        plot_states(np.full((3, 2), 0.5), times=[1, 2])


def test_a_fitted_chain_draws_itself():
    rows = np.random.default_rng(0).normal(np.repeat([0.0, 4.0, 0.0, 4.0], 20), 1.0)
    model = HMM(Normal(), 2, random_state=0).fit(rows)
    assert len(arrows(model.plot_transition_diagram(least=0.0))) == 2
    assert len(model.plot_transitions().texts) == 4
    assert len(model.plot_states(rows).figure.axes) == 2
    assert model.plot_history().lines
