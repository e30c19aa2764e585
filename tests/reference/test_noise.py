"""Gaussians and noise on mclust's chevron: 350 rows of two bars among 754 rows of clutter."""

import numpy as np
import pytest

from mixtura import Mixture, select
from mixtura.components import EEV, Gaussian, UniformNoise, Union
from mixtura.components.neighbours import sparse_rows
from mixtura.protocols import Batch
from mixtura.structures import Independent, LatentMixture


@pytest.fixture(scope="module")
def chevron(shared):
    with (shared / "chevron" / "chevron.csv").open(encoding="utf-8") as file:
        rows = [line.strip().replace('"', "").split(",") for line in file][1:]
    return np.array([row[1:] for row in rows], dtype=float), np.array([row[0] == "data" for row in rows])


def test_rows_without_near_neighbours_are_the_clutter(chevron):
    x, data = chevron
    clutter = sparse_rows(x, np.ones(len(x))) > 0.5
    # Byers and Raftery report about as much on such data; the rest overlaps.
    assert clutter[~data].mean() > 0.9
    assert clutter[data].mean() < 0.1


def test_two_bars_and_noise_are_chosen_and_found(chevron):
    x, data = chevron
    union = Union((Gaussian(model=EEV()), None), (UniformNoise.of(x), 1))
    chosen = select(Mixture(union, random_state=0), x, n_components=range(2, 5)).best_estimator_
    assert chosen.n_components_ == 3  # two Gaussians, as mclust's BIC has it, and noise
    assert ((chosen.predict(x) < 2) == data).mean() > 0.93
    assert chosen.weights_[2] == pytest.approx(np.mean(~data), abs=0.1)


@pytest.mark.parametrize("bars", [1, 2, 3])
def test_the_start_ends_no_lower_than_one_from_the_truth(chevron, bars):
    """EM from the true labels (the bars cut into equal parts along their first axis) is never better."""
    x, data = chevron
    mixture = Mixture(Union((Gaussian(), None), (UniformNoise.of(x), 1)), bars + 1, random_state=0).fit(x)
    resp = np.zeros((bars + 1, len(x)))
    order = np.flatnonzero(data)[np.argsort(x[data, 0])]
    for k, rows in enumerate(np.array_split(order, bars)):
        resp[k, rows] = 1.0
    resp[bars, ~data] = 1.0
    encoding = mixture._encoding
    rows = np.ascontiguousarray((x - encoding.origin).T)
    blank = mixture.components
    components = blank.maximize(blank.expected_statistics(blank.encode(rows, encoding), resp))
    model = LatentMixture(components, Independent(np.log(resp.sum(axis=1))), encoding)
    for _ in range(100):
        stats = model.summarize(Batch(rows, np.ones(len(x))), {})
        model = model.maximize(stats)
    # tol bounds the gain that remains, per row.
    assert mixture.lower_bound_ * len(x) > stats.log_evidence - 1e-4 * len(x)
