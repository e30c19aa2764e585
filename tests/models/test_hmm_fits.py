"""HMM(component): fits of every kind of emission, weights, gaps, constraints, priors, ways to stop, files, bad input."""

import signal
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import mixtura
from mixtura import HMM, load
from mixtura.components import Gaussian, GaussianResponse, Nested, Product, StudentT
from mixtura.exceptions import (
    ConvergenceWarning,
    InterruptedWarning,
    InvalidDataError,
    InvalidParameterError,
)
from mixtura.families import Categorical, Multinomial, Normal, Poisson
from mixtura.kernels import without_kernels
from mixtura.priors import ChainPrior
from mixtura.structures import InputOutputChain
from mixtura.structures.moves import KnownMoves, SharedMoves, banded, left_right
from mixtura.structures.starts import KnownStart, StationaryStart

RNG = np.random.default_rng(7)
STATES = np.repeat([0, 1, 0, 1, 0, 1], [20, 30, 15, 25, 35, 25])
LENGTHS = [70, 50, 30]
NUMBERS = RNG.normal(3.0 * STATES, 1.0)[:, None]
COUNTS = RNG.poisson(2 + 6 * STATES)[:, None].astype(float)
LEVELS = np.where(RNG.random(150) < 0.8, STATES, 2)[:, None].astype(float)
BASKETS = np.array([RNG.multinomial(8, [0.6, 0.3, 0.1] if state else [0.1, 0.2, 0.7]) for state in STATES])
TWO = np.column_stack([NUMBERS, RNG.normal(size=150)])
RESPONSE = np.column_stack([NUMBERS, np.where(STATES, 2.0, -1.0) * NUMBERS[:, 0] + RNG.normal(size=150)])

EMISSIONS = {
    "Gaussian": (Gaussian(), TWO),
    "Poisson": (Poisson(), COUNTS),
    "Categorical": (Categorical([3]), LEVELS),
    "Multinomial CSR": (Multinomial(), sp.csr_matrix(BASKETS.astype(float))),
    "Product": (
        Product(
            {"numbers": (Gaussian(), [0]), "counts": (Poisson(), [1]), "levels": (Categorical([3]), [2])}
        ),
        np.column_stack([NUMBERS, COUNTS, LEVELS]),
    ),
    "Nested": (Nested(Gaussian(), 2), TWO),
    "StudentT": (StudentT(), TWO[:, :1]),
    "Normal": (Normal(), NUMBERS),
    "GaussianResponse": (GaussianResponse(response=1), RESPONSE),
}


@pytest.mark.parametrize("name", EMISSIONS)
def test_every_emission_is_learnt_and_the_likelihood_never_falls(name):
    component, rows = EMISSIONS[name]
    model = HMM(component, 2, random_state=0).fit(rows, LENGTHS)
    # Rounding of sums of 150 logarithms.
    assert (np.diff(model.lower_bounds_) > -1e-12).all()
    assert model.score(rows, LENGTHS) == pytest.approx(150 * model.lower_bound_, rel=1e-9)
    states = model.predict(rows, LENGTHS)
    right = (states == STATES).mean()
    assert max(right, 1 - right) > 0.85
    assert np.isfinite(model.forecast(rows, 3, LENGTHS, n_draws=10).draws).all()
    assert "states last" in model.summary()
    new, _ = model.sample(5, random_state=1)
    assert new.shape == (5, rows.shape[1])


def test_weights_of_sequences_are_repetitions():
    settings = {
        "random_state": 0,
        "init_params": HMM(Normal(), 2, random_state=0, max_iter=3, tol=1.0).fit(NUMBERS),
    }
    first, second = NUMBERS[:70], NUMBERS[70:]
    weighted = HMM(Normal(), 2, **settings).fit([first, second], sample_weight=[3, 1])
    repeated = HMM(Normal(), 2, **settings).fit([first, first, first, second])
    # Both runs take the same steps; sums differ by their rounding.
    np.testing.assert_allclose(weighted.transmat_, repeated.transmat_, rtol=1e-8)
    np.testing.assert_allclose(weighted.startprob_, repeated.startprob_, rtol=1e-8, atol=1e-12)
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-10)
    assert weighted.bic([first, second], sample_weight=[3, 1]) == pytest.approx(
        repeated.bic([first, first, first, second])
    )
    without = HMM(Normal(), 2, **settings).fit([first, second], sample_weight=[1, 0])
    alone = HMM(Normal(), 2, **settings).fit(first)
    np.testing.assert_allclose(without.transmat_, alone.transmat_, rtol=1e-8)


def test_sequences_of_a_frame_need_not_lie_together():
    frame = pd.DataFrame(
        {"who": np.repeat(["b", "a", "c"], LENGTHS), "x": NUMBERS.ravel()}, index=range(10, 160)
    )
    model = HMM(Normal(), 2, random_state=0).fit(frame, groups="who")
    by_length = HMM(Normal(), 2, random_state=0).fit([NUMBERS[70:120], NUMBERS[:70], NUMBERS[120:]])
    assert model.lower_bound_ == pytest.approx(by_length.lower_bound_, rel=1e-9)
    mixed = frame.sample(frac=1, random_state=0).sort_index(key=lambda index: index % 5, kind="stable")
    within = mixed.groupby("who", sort=False).cumcount()
    assert within.max() == 69
    found = model.assign(frame, groups="who")
    assert found.index.equals(frame.index)
    assert found.columns.tolist() == ["state", "probability", "log_likelihood", "p0", "p1"]
    np.testing.assert_array_equal(found["state"], model.predict(frame, groups="who"))
    assert found["log_likelihood"].sum() == pytest.approx(model.score(frame, groups="who"))


def test_from_frame_takes_mixed_columns():
    frame = pd.DataFrame(
        {
            "who": np.repeat(["b", "a", "c"], LENGTHS),
            "size": NUMBERS.ravel(),
            "visits": COUNTS.ravel().astype(int),
            "where": np.array(["web", "shop", "phone"])[LEVELS.ravel().astype(int)],
        }
    )
    frame.loc[[3, 5], "visits"] = np.nan
    model = HMM.from_frame(frame, 2, groups="who", verbose=False, random_state=0).fit(frame, groups="who")
    right = (model.predict(frame, groups="who") == STATES).mean()
    assert max(right, 1 - right) > 0.97
    rows, _ = model.sample(4, random_state=0)
    assert set(rows.columns) == {"size", "visits", "where"}


def test_missing_cells_and_steps():
    gaps = TWO.copy()
    gaps[::7, 1] = np.nan
    gaps[10:14] = np.nan
    gaps[60] = np.nan
    model = HMM(Gaussian(), 2, random_state=0).fit(gaps, LENGTHS)
    assert (np.diff(model.lower_bounds_) > -1e-12).all()
    right = (model.predict(gaps, LENGTHS) == STATES).mean()
    assert max(right, 1 - right) > 0.9
    whole = HMM(Gaussian(), 2, random_state=0).fit(TWO, LENGTHS)
    means = np.sort(model.components_.mean[:, 0])
    np.testing.assert_allclose(means, np.sort(whole.components_.mean[:, 0]), atol=0.3)


def test_known_states_name_them():
    labels = np.full(150, -1)
    labels[:5], labels[25:30] = 1, 0
    model = HMM(Normal(), 2, random_state=0).fit(NUMBERS, LENGTHS, labels=labels)
    assert model.components_.mean[1, 0] < model.components_.mean[0, 0]
    states = model.predict(NUMBERS, LENGTHS, labels=labels)
    assert (states[labels >= 0] == labels[labels >= 0]).all()
    everything = HMM(Normal(), 2, random_state=0).fit(NUMBERS, LENGTHS, labels=STATES)
    moves = np.zeros((2, 2))
    for part in np.split(STATES, np.cumsum(LENGTHS)[:-1]):
        np.add.at(moves, (part[:-1], part[1:]), 1)
    np.testing.assert_allclose(everything.transmat_, moves / moves.sum(axis=1, keepdims=True), rtol=1e-9)
    with pytest.raises(InvalidDataError, match="number of a component, 0 to 1"):
        HMM(Normal(), 2).fit(NUMBERS, LENGTHS, labels=STATES + 1)
    with pytest.raises(InvalidParameterError, match="labels name states by number"):
        HMM(Normal(), 2, on_degenerate="drop").fit(NUMBERS, LENGTHS, labels=STATES)


def test_samples_of_long_sequences_are_pieces_of_them():
    model = HMM(Normal(), 2)
    problem = model._chain_problem(model._sequences(np.tile(NUMBERS, (30, 1)), None, None, reset=True))
    part = problem.sample(1000, np.random.default_rng(0))
    assert 1000 <= len(part.x) < 1100
    np.testing.assert_array_equal(np.diff(part.unit_offsets), 100)
    # Rows that follow each other in a piece do so in the sequence.
    place = {value: row for row, value in enumerate(NUMBERS.ravel())}
    rows = np.array([place[value] for value in part.x.ravel()])
    inside = np.ones(len(rows), dtype=bool)
    inside[part.unit_offsets[:-1]] = False
    assert (np.diff(rows, prepend=-1)[inside] % 150 == 1).all()
    gaps = NUMBERS.copy()
    gaps[:5] = np.nan
    left = model._chain_problem(model._sequences(gaps, LENGTHS, None, reset=True), sample_weight=[1, 0, 1])
    part = left.sample(1000, np.random.default_rng(0))
    np.testing.assert_array_equal(part.unit_offsets, [0, 65, 95])
    assert part.seen is None
    assert HMM(Normal(), 2, transmat=left_right)._chain_problem(
        HMM(Normal(), 2)._sequences(NUMBERS, None, None, reset=True)
    ).sample(100, np.random.default_rng(0)).x.shape == (150, 1)


# --- constraints ------------------------------------------------------------------------------------------------
def journeys(rng, means, n_sequences=12):
    """Sequences that pass through all states once, in their order."""
    parts = []
    for _ in range(n_sequences):
        states = np.repeat(np.arange(len(means)), rng.integers(5, 15, len(means)))
        parts.append(rng.normal(np.asarray(means)[states], 1.0)[:, None])
    return parts


@pytest.mark.parametrize(
    "means", [(4.0, 0.0, 8.0, 2.0), (3.0, 0.0, 3.0, 6.0)], ids=["shuffled", "a state again"]
)
def test_left_right_chains_find_the_order_of_their_states(means):
    for seed in range(2):
        parts = journeys(np.random.default_rng(seed), means)
        begins = {"startprob": [1.0, 0.0, 0.0, 0.0], "transmat": left_right}
        model = HMM(Normal(), 4, random_state=seed, **begins).fit(parts)
        np.testing.assert_allclose(model.components_.mean[:, 0], means, atol=0.5)
        np.testing.assert_array_equal(model.transmat_ > 0, left_right(4) > 0)
        assert model.n_parameters() == 8 + 3


def test_banded_chains_find_neighbours():
    rng = np.random.default_rng(0)
    states = np.abs((np.arange(600) // 10) % 8 - 4)  # up and down between 0 and 4
    rows = rng.normal(np.array([6.0, 0.0, 9.0, 3.0, 12.0])[states], 0.7)
    model = HMM(Normal(), 5, transmat=banded, random_state=0).fit(rows)
    order = model.components_.mean[:, 0]
    expected = np.array([6.0, 0.0, 9.0, 3.0, 12.0])
    straight, back = (np.abs(order - expected[::step]).max() for step in (1, -1))
    assert min(straight, back) < 1.0


def test_laws_of_starts_and_moves():
    known = np.array([[0.9, np.nan], [np.nan, np.nan]])
    fixed = HMM(
        Normal(), 2, moves=KnownMoves(known), startprob=[0.5, 0.5], start=KnownStart(), random_state=0
    )
    fixed.fit(NUMBERS, LENGTHS)
    assert fixed.transmat_[0, 0] == pytest.approx(0.9)
    np.testing.assert_allclose(fixed.startprob_, 0.5)
    assert fixed.n_parameters() == 4 + 1
    alike = HMM(Normal(), 2, moves=SharedMoves([0, 0]), random_state=0).fit(NUMBERS, LENGTHS)
    np.testing.assert_allclose(alike.transmat_[0], alike.transmat_[1])
    long_run = HMM(Normal(), 2, start=StationaryStart(), random_state=0).fit(NUMBERS, LENGTHS)
    np.testing.assert_allclose(long_run.startprob_ @ long_run.transmat_, long_run.startprob_, atol=1e-8)


def test_rows_in_common_make_a_mixture():
    """A chain whose rows are all alike forgets: it is the mixture of the same components."""
    chain = HMM(Normal(), 2, moves=SharedMoves([0, 0]), start=StationaryStart(), random_state=0, tol=1e-7)
    rows = NUMBERS[:70]
    mixture = mixtura.Mixture(Normal(), 2, random_state=0, tol=1e-7).fit(rows)
    assert chain.fit(rows).score(rows) / 70 == pytest.approx(mixture.score(rows), abs=1e-5)


def test_moves_may_depend_on_covariates():
    rng = np.random.default_rng(0)
    covariate = rng.normal(size=600)
    states = np.zeros(600, dtype=int)
    for t in range(1, 600):
        leave = 1 / (1 + np.exp(2.0 - 2.0 * covariate[t]))
        states[t] = states[t - 1] ^ int(rng.random() < leave)
    rows = rng.normal(4.0 * states, 1.0)
    plain = HMM(Normal(), 2, random_state=0).fit(rows)
    model = HMM(Normal(), 2, chain=InputOutputChain(), random_state=0).fit(rows, covariates=covariate)
    # A likelihood ratio of two parameters; 60 is far beyond chance.
    assert 2 * (model.score(rows, covariates=covariate) - plain.score(rows)) > 60
    ahead = model.forecast(rows, 2, covariates=covariate, future_covariates=[[3.0], [-3.0]])
    np.testing.assert_allclose(ahead.states.sum(axis=2), 1.0)
    stream = model.stream()
    for x, q in zip(rows, covariate, strict=True):
        stream.step(x, covariates=q)
    assert stream.log_likelihood == pytest.approx(model.score(rows, covariates=covariate), rel=1e-9)
    with pytest.raises(InvalidDataError, match="covariates: found shape"):
        model.predict(rows, covariates=covariate[:-1])


# --- priors -----------------------------------------------------------------------------------------------------
def test_variational_bayes_and_the_mode():
    wide = HMM(Normal(), 2, inference="variational", random_state=0).fit(NUMBERS, LENGTHS)
    assert (np.diff(wide.lower_bounds_) > -1e-9).all()
    ml = HMM(Normal(), 2, random_state=0).fit(NUMBERS, LENGTHS)
    assert wide.lower_bound_ < ml.lower_bound_
    np.testing.assert_allclose(wide.transmat_.sum(axis=1), 1.0)
    assert "bound on the log evidence" in wide.summary()
    assert np.isfinite(wide.score(NUMBERS, LENGTHS))
    sticky = HMM(Normal(), 2, inference="map", chain_prior=ChainPrior(staying=1000.0), random_state=0)
    sticky.fit(NUMBERS, LENGTHS)
    assert (sticky.transmat_.diagonal() > 0.99).all()
    assert wide.n_parameters() == ml.n_parameters() == 7
    with pytest.raises(InvalidParameterError, match="inference is 'em'"):
        HMM(Normal(), 2, inference="em", chain_prior=ChainPrior()).fit(NUMBERS)


# --- ways to stop, to go on, and to start -----------------------------------------------------------------------
def test_ctrl_c_returns_the_best_chain_so_far():
    def press(progress):
        if progress.step == 2:
            signal.raise_signal(signal.SIGINT)

    model = HMM(Normal(), 2, random_state=0, init_params="random", tol=0.0, max_iter=10**6, callbacks=[press])
    with pytest.warns(InterruptedWarning, match="after 2 steps"):
        model.fit(NUMBERS, LENGTHS)
    assert model.score(NUMBERS, LENGTHS) == pytest.approx(150 * model.lower_bound_, rel=1e-9)


def test_a_budget_of_time():
    model = HMM(Normal(), 2, random_state=0, init_params="random", tol=0.0, max_iter=10**6, time_budget=1e-9)
    with pytest.warns(ConvergenceWarning, match="time_budget=1e-09 s .* per step"):
        model.fit(NUMBERS, LENGTHS)


def test_warm_start_goes_on():
    model = HMM(Normal(), 2, random_state=0, warm_start=True, max_iter=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(NUMBERS, LENGTHS)
        before = model.lower_bound_
        model.fit(NUMBERS, LENGTHS)
    assert model.lower_bound_ >= before
    assert model.n_iter_ <= 2


def test_a_chain_starts_from_a_mixture_and_from_fewer_states():
    mixture = mixtura.Mixture(Normal(), 2, random_state=0).fit(NUMBERS)
    from_mixture = HMM(Normal(), 2, init_params=mixture).fit(NUMBERS, LENGTHS)
    sieved = HMM(Normal(), 2, random_state=0).fit(NUMBERS, LENGTHS)
    assert from_mixture.lower_bound_ == pytest.approx(sieved.lower_bound_, abs=1e-4)
    larger = HMM(Normal(), 3, init_params=sieved, transmat=banded).fit(NUMBERS, LENGTHS)
    assert larger.n_components_ == 3
    assert larger.transmat_[0, 2] == larger.transmat_[2, 0] == 0.0
    with pytest.raises(InvalidParameterError, match="expected a fitted HMM or Mixture"):
        HMM(Normal(), 2, init_params=mixtura.GaussianMixture(2).fit(NUMBERS)).fit(NUMBERS)


def test_without_numba_it_is_the_same():
    fast = HMM(Normal(), 2, random_state=0).fit(NUMBERS, LENGTHS)
    with without_kernels():
        slow = HMM(Normal(), 2, random_state=0).fit(NUMBERS, LENGTHS)
    assert slow.lower_bound_ == pytest.approx(fast.lower_bound_, rel=1e-8)


# --- files ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", EMISSIONS)
def test_a_file_holds_all_of_it(name, tmp_path):
    component, rows = EMISSIONS[name]
    model = HMM(component, 2, random_state=0, transmat=[[0.9, 0.1], [0.1, 0.9]]).fit(rows, LENGTHS)
    again = load(model.save(tmp_path / "chain.mixtura"))
    assert again.score(rows, LENGTHS) == model.score(rows, LENGTHS)
    np.testing.assert_array_equal(again.predict(rows, LENGTHS), model.predict(rows, LENGTHS))
    np.testing.assert_array_equal(again.transmat_, model.transmat_)
    np.testing.assert_array_equal(again.transmat, model.transmat)
    assert again.summary() == model.summary()
    assert again.n_parameters() == model.n_parameters()
    np.testing.assert_array_equal(model.sample(6, random_state=3)[0], again.sample(6, random_state=3)[0])


def test_files_hold_laws_and_settings(tmp_path):
    model = HMM(
        Normal(),
        2,
        inference="variational",
        chain_prior=ChainPrior(staying=2.0),
        transmat=banded,
        random_state=0,
    ).fit(NUMBERS, LENGTHS)
    again = load(model.save(tmp_path / "chain.mixtura"))
    assert again.chain_prior == model.chain_prior
    assert again.transmat is None  # a callable stays out
    assert again.score(NUMBERS, LENGTHS) == model.score(NUMBERS, LENGTHS)
    covariate = np.linspace(-1, 1, 150)
    varied = HMM(Normal(), 2, chain=InputOutputChain(), random_state=0).fit(
        NUMBERS, LENGTHS, covariates=covariate
    )
    again = load(varied.save(tmp_path / "varied.mixtura"))
    assert again.score(NUMBERS, LENGTHS, covariates=covariate) == varied.score(
        NUMBERS, LENGTHS, covariates=covariate
    )


# --- what is refused --------------------------------------------------------------------------------------------
GOOD = NUMBERS[:10]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": [4, 5]}, "lengths add up to 9, but X has 10 rows"),
        ({"lengths": [10, 0]}, "Sequence 1 has 0 rows"),
        ({"lengths": [5.0, 5.0]}, "expected whole numbers"),
        ({"lengths": [10], "groups": ["a"] * 10}, "Both lengths and groups"),
        ({"groups": ["a"] * 9}, r"groups has shape \(9,\)"),
        ({"groups": "who"}, "names no column"),
        ({"groups": [None, *"aaaaaaaaa"]}, r"groups\[0\] is missing"),
        ({"sample_weight": [1.0, 2.0]}, r"sample_weight has shape \(2,\)"),
        ({"labels": [0] * 9}, r"labels has shape \(9,\)"),
        ({"covariates": np.zeros((9, 1))}, "covariates: found shape"),
        ({"covariates": np.full((10, 1), np.nan)}, "is nan; expected a finite number"),
    ],
)
def test_what_is_given_beside_the_rows(arguments, message):
    with pytest.raises(InvalidDataError, match=message):
        HMM(Normal(), 2).fit(GOOD, **arguments)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.full((5, 2), np.nan), "All 5 steps are missing"),
        ([np.zeros((3, 1)), np.zeros((3, 2))], "Sequence 1 has 2 columns"),
        ([np.zeros((3, 1)), np.zeros((0, 1))], "Sequence 1 has 0 rows"),
        (NUMBERS[:1], "There are 1 observed steps"),
        (None, "X is None; expected rows of shape"),
        ([np.zeros(3), np.zeros(2)], "Sequence 0 has 1 dimension"),
    ],
)
def test_rows_that_say_nothing(rows, message):
    with pytest.raises((InvalidDataError, ValueError), match=message):
        HMM(Normal(), 2).fit(rows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transmat": [[0.0, 0.0], [0.5, 0.5]]}, "transmat, row 0, is"),
        ({"transmat": [[0.5, 0.5], [np.nan, 0.5]]}, "transmat, row 1, is"),
        ({"transmat": [[1.0]]}, r"transmat has shape \(1, 1\); expected \(2, 2\)"),
        ({"startprob": [0.5, 0.4]}, "startprob is"),
        ({"startprob": [1.5, -0.5]}, "startprob is"),
        ({"inference": "vb"}, "inference is 'vb'"),
        ({"n_components": 0}, "n_components"),
    ],
)
def test_settings(settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        HMM(Normal(), **({"n_components": 2} | settings)).fit(NUMBERS)


def test_messages_name_rows_as_they_were_given():
    bad = COUNTS.copy()
    bad[100] = -1.0
    names = np.tile(["b", "a", "c"], 50)
    with pytest.raises(InvalidDataError, match="row 100, column 0 is -1"):
        HMM(Poisson(), 2).fit(bad, groups=names)
    gaps = np.full((20, 2), 1.0)
    gaps[3], gaps[8, 1] = np.nan, np.nan
    with pytest.raises(InvalidDataError, match="row 8, column 1 is missing"):
        HMM(Multinomial(), 1).fit(gaps)


def test_methods_before_the_fit():
    model = HMM(Normal(), 2)
    for name in ("transmat_", "startprob_", "components_", "weights_", "structure_"):
        with pytest.raises(AttributeError, match="call fit first"):
            getattr(model, name)
    with pytest.raises(ValueError, match="not fitted"):
        model.predict(NUMBERS)
    assert "HMM" in model._repr_html_()


def test_arguments_of_methods():
    model = HMM(Normal(), 2, random_state=0).fit(NUMBERS)
    with pytest.raises(InvalidParameterError, match="algorithm is 'best'"):
        model.decode(NUMBERS, algorithm="best")
    with pytest.raises(InvalidParameterError, match="n_paths is 0"):
        model.best_paths(NUMBERS, n_paths=0)
    with pytest.raises(InvalidParameterError, match="n_steps is 0"):
        model.forecast(NUMBERS, 0)
    with pytest.raises(InvalidDataError, match="future_covariates has shape"):
        model.forecast(NUMBERS, 2, future_covariates=np.zeros((3, 1)))
    with pytest.raises(InvalidParameterError, match="lengths is"):
        model.sample(lengths=[3, 0])


@pytest.mark.filterwarnings("ignore::mixtura.exceptions.DegeneracyWarning")
@pytest.mark.parametrize(
    "laws",
    [
        {"transmat": left_right, "startprob": [1, 0, 0, 0, 0, 0]},
        {"transmat": left_right(6), "start": KnownStart(), "startprob": [1, 0, 0, 0, 0, 0]},
        {"moves": KnownMoves(np.where(left_right(6) > 0, np.nan, 0.0))},
    ],
)
def test_states_are_dropped_from_laws_that_were_given(laws):
    x = np.random.default_rng(0).normal(np.repeat([0.0, 4.0, 0.0, 4.0], 5))[:, None]
    model = HMM(Gaussian(), 6, on_degenerate="drop", random_state=0, **laws).fit(x)
    assert 2 <= model.n_components_ < 6
    assert model.startprob_.shape == (model.n_components_,)
    assert not np.tril(model.transmat_, -1).any()
    np.testing.assert_allclose(model.transmat_.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", "stationary"),
        ("start", StationaryStart),
        ("moves", left_right),
        ("moves", KnownMoves),
        ("chain", "durations"),
    ],
)
def test_what_is_no_law_is_refused(name, value):
    with pytest.raises(InvalidParameterError, match=f"{name} is .* no law of a chain; expected one of"):
        HMM(Normal(), 2, **{name: value}).fit(NUMBERS)
