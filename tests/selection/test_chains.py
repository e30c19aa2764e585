"""The number of states by criteria and by cross-validation over sequences."""

import numpy as np
import pandas as pd
import pytest

from mixtura import HMM, select
from mixtura.exceptions import InvalidDataError
from mixtura.families import Normal
from mixtura.selection import SequenceFolds

RNG = np.random.default_rng(3)
STATES = np.tile(np.repeat([0, 1, 2], [10, 15, 8]), 8)
ROWS = RNG.normal(4.0 * STATES, 1.0)[:, None]
LENGTHS = np.full(8, 33)
CHAIN = HMM(Normal(), random_state=0, tol=1e-5)


@pytest.fixture(scope="module")
def found():
    return select(
        CHAIN,
        ROWS,
        lengths=LENGTHS,
        n_components=[2, 3, 4],
        criterion="held_out",
        validation=SequenceFolds(2),
    )


def test_all_criteria_find_three_states(found):
    assert found.chosen["n_components"] == 3
    for criterion in ("bic", "icl"):
        assert min(found.table, key=lambda row: row[criterion])["n_components"] == 3
    likelihoods = [row["log_likelihood"] for row in found.table]
    assert likelihoods[0] < likelihoods[1] <= likelihoods[2] + 1e-6  # nested models
    row = found.table[1]
    assert row["bic"] == pytest.approx(found.best_estimator_.bic(ROWS, LENGTHS))
    assert row["icl"] == pytest.approx(found.best_estimator_.icl(ROWS, LENGTHS))
    assert row["n_parameters"] == 2 + 6 + 6


def test_folds_leave_whole_sequences_out(found):
    folds = SequenceFolds(2)
    total = 0.0
    for left_out in folds._whole(_given()):
        rows = np.repeat(left_out, LENGTHS)
        model = HMM(Normal(), 3, random_state=0, tol=1e-5).fit(ROWS[~rows], LENGTHS[~left_out])
        total += model.score(ROWS[rows], LENGTHS[left_out])
    assert found.table[1]["held_out"] == pytest.approx(total / len(ROWS), rel=1e-9)


def _given():
    from mixtura.models._sequences import sequences

    return sequences(ROWS, LENGTHS)


def test_groups_and_frames_make_the_same_folds():
    folds, model = SequenceFolds(2), HMM(Normal(), 2, random_state=0, tol=1e-5)
    names = np.repeat([f"s{number}" for number in range(8)], LENGTHS)
    by_length = folds.held_out(model, ROWS, {"lengths": LENGTHS})
    frame = pd.DataFrame({"who": names, "x": ROWS.ravel()})
    assert folds.held_out(model, frame, {"groups": "who"}) == pytest.approx(by_length, rel=1e-12)
    weighted = folds.held_out(model, ROWS, {"lengths": LENGTHS, "sample_weight": np.ones(8)})
    assert weighted == pytest.approx(by_length, rel=1e-12)


def test_a_single_sequence_is_left_out_in_stretches():
    folds = SequenceFolds(2, n_blocks=8)
    values = [folds.held_out(HMM(Normal(), k, random_state=0, tol=1e-5), ROWS, {}) for k in (1, 3)]
    assert values[1] > values[0]
    masks = np.array(list(folds._stretches(_one())))
    np.testing.assert_array_equal(masks.sum(axis=0), 1)
    assert (np.diff(masks[0].astype(int)) != 0).sum() <= 8


def _one():
    from mixtura.models._sequences import sequences

    return sequences(ROWS)


def test_too_few_sequences_for_the_folds():
    with pytest.raises(InvalidDataError, match="n_folds is 9, but there are 8 sequences"):
        SequenceFolds(9).held_out(CHAIN, ROWS, {"lengths": LENGTHS})
    with pytest.raises(InvalidDataError, match="left out of a DataFrame"):
        SequenceFolds(2).held_out(CHAIN, pd.DataFrame(ROWS), {})
