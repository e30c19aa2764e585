"""What cannot be used says where, what was found, what was expected and what to do; what can be used is defined."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

from mixtura import (
    GaussianMixture,
    GroupedMultinomialMixture,
    Mixture,
    MultinomialMixture,
    RegressionMixture,
    select,
)
from mixtura.exceptions import InvalidDataError, InvalidParameterError
from mixtura.families import Normal, Poisson
from mixtura.models import DirichletMultinomialMixture, PoissonMixture

COUNTS = np.array([[5.0, 1, 0], [4, 0, 1], [0, 1, 6], [1, 0, 5], [0, 2, 2]])
ROWS = np.random.default_rng(0).normal(size=(20, 2))


def says(action, kind, *patterns):
    """The error of an action, read for all its parts."""
    with pytest.raises(kind) as caught:
        action()
    text = str(caught.value)
    for pattern in patterns:
        assert re.search(pattern, text), f"no {pattern!r} in {text!r}"


# --- tables -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cls", [MultinomialMixture, GroupedMultinomialMixture, DirichletMultinomialMixture])
@pytest.mark.parametrize("sparse", [False, True])
class TestCounts:
    def fit(self, cls, sparse, position, value):
        x = COUNTS.copy()
        x[position] = value
        cls(2).fit(sp.csr_matrix(x) if sparse else x)

    def test_negative(self, cls, sparse):
        says(
            lambda: self.fit(cls, sparse, (2, 1), -3.0),
            InvalidDataError,
            r"row 2, column 1",
            r"is -3",
            "at least 0",
            "Remove returns",
        )

    def test_nan(self, cls, sparse):
        says(lambda: self.fit(cls, sparse, (2, 1), np.nan), ValueError, "NaN")

    def test_infinite(self, cls, sparse):
        says(lambda: self.fit(cls, sparse, (2, 1), np.inf), ValueError, "infinity|too large")

    def test_fractions_are_weights_of_lines(self, cls, sparse):
        """Not an error: half a line counts half."""
        x = COUNTS / 2.0
        model = cls(2, random_state=0).fit(sp.csr_matrix(x) if sparse else x)
        assert np.isfinite(model.lower_bound_)

    def test_all_zero(self, cls, sparse):
        x = 0.0 * COUNTS
        says(
            lambda: cls(2).fit(sp.csr_matrix(x) if sparse else x),
            InvalidDataError,
            "All counts are zero",
            "at least one positive",
            "Look at",
        )


def test_a_negative_count_in_a_data_frame_is_named_by_its_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COUNTS, columns=["milk", "bread", "beer"])
    frame.loc[3, "beer"] = -1
    says(lambda: MultinomialMixture(2).fit(frame), InvalidDataError, "row 3, column beer is -1")


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianMixture(),
        MultinomialMixture(),
        GroupedMultinomialMixture(),
        DirichletMultinomialMixture(),
        PoissonMixture(),
        Mixture(),
    ],
)
class TestEveryClass:
    def test_more_components_than_rows(self, estimator):
        model = type(estimator)(n_components=9)
        says(
            lambda: model.fit(COUNTS),
            InvalidDataError,
            "5 rows",
            "n_components=9",
            "at least",
            "fewer components",
        )

    def test_more_components_than_rows_that_count(self, estimator):
        model = type(estimator)(n_components=3)
        weight = [1.0, 0, 0, 0, 1]
        says(lambda: model.fit(COUNTS, sample_weight=weight), InvalidDataError, "2 rows of positive weight")

    def test_no_rows(self, estimator):
        says(lambda: estimator.fit(COUNTS[:0]), ValueError, "0 sample")

    def test_no_columns(self, estimator):
        says(lambda: estimator.fit(COUNTS[:, :0]), ValueError, "0 feature")

    def test_text(self, estimator):
        says(
            lambda: estimator.fit(np.array([["a", "b"], ["c", "d"]])),
            ValueError,
            "row 0, column 0 is 'a'; expected a number",
        )

    def test_three_dimensions(self, estimator):
        says(lambda: estimator.fit(np.zeros((3, 3, 3))), ValueError, "dim 3|dimensions")

    def test_weights_of_another_length(self, estimator):
        says(
            lambda: estimator.fit(COUNTS, sample_weight=np.ones(4)),
            InvalidDataError,
            "sample_weight",
            r"\(4,\)",
            r"expected \(5,\)",
            "one weight for each row",
        )

    @pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
    def test_weights_outside_their_domain(self, estimator, value):
        weight = np.ones(5)
        weight[3] = value
        says(
            lambda: estimator.fit(COUNTS, sample_weight=weight),
            InvalidDataError,
            r"sample_weight\[3\]",
            str(value),
            "at least 0",
            "leaves a row out|weight 0",
        )

    def test_weights_that_are_no_numbers(self, estimator):
        says(
            lambda: estimator.fit(COUNTS, sample_weight=["one"] * 5),
            InvalidDataError,
            "sample_weight is not made of numbers; expected one finite number of at least 0 for each of 5 rows",
        )

    def test_weights_all_zero(self, estimator):
        says(
            lambda: estimator.fit(COUNTS, sample_weight=np.zeros(5)),
            InvalidDataError,
            "zero",
            "at least one positive",
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("n_components", 0),
            ("n_components", 1.5),
            ("n_components", True),
            ("max_iter", -1),
            ("n_init", 0),
            ("tol", -0.1),
            ("tol", "small"),
            ("time_budget", -1),
            ("init_params", "kmeens"),
            ("on_degenerate", "ignore"),
        ],
    )
    def test_a_setting_outside_its_domain(self, estimator, name, value):
        model = type(estimator)(**{name: value})
        says(
            lambda: model.fit(COUNTS), InvalidParameterError, name, re.escape(repr(value)), "expected|Allowed"
        )

    def test_another_number_of_columns_later(self, estimator):
        model = type(estimator)(n_components=1, random_state=0).fit(COUNTS)
        says(lambda: model.predict(COUNTS[:, :2]), ValueError, "2 features", "expecting 3")

    def test_no_samples_to_draw(self, estimator):
        model = type(estimator)(n_components=1, random_state=0).fit(COUNTS)
        says(lambda: model.sample(0), InvalidParameterError, "n_samples is 0", "at least 1")


# --- starts -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("start", "patterns"),
    [
        ({"weights_init": [0.5, 0.5, 0.5]}, [r"weights_init has shape \(3,\)", r"expected \(2,\)"]),
        ({"weights_init": [0.7, 0.7]}, ["weights_init sums to 1.4", "sum to 1", "Divide"]),
        ({"weights_init": [1.5, -0.5]}, [r"weights_init\[0\] is 1.5", "between 0 and 1"]),
        ({"means_init": [[0.0], [1.0]]}, [r"means_init has shape \(2, 1\)", r"expected \(2, 2\)"]),
        ({"precisions_init": np.stack([np.eye(2), -np.eye(2)])}, ["component 1", "positive definite"]),
        ({"precisions_init": np.eye(2)}, ["precisions_init has shape"]),
    ],
)
def test_a_gaussian_start_that_is_none(start, patterns):
    says(lambda: GaussianMixture(2, **start).fit(ROWS), InvalidParameterError, *patterns)


@pytest.mark.parametrize(
    ("start", "patterns"),
    [
        ({"weights_init": [1.0]}, [r"weights_init has shape \(1,\)", r"expected \(2,\)"]),
        ({"profiles_init": np.ones((2, 2)) / 2}, [r"profiles_init has shape \(2, 2\)", r"expected \(2, 3\)"]),
        ({"profiles_init": np.ones((2, 3))}, ["profiles_init", "summing to one", "3"]),
        ({"profiles_init": [[1.5, -0.5, 0.0], [0.2, 0.2, 0.6]]}, ["profiles_init", "at least 0"]),
    ],
)
def test_a_start_of_profiles_that_is_none(start, patterns):
    says(lambda: MultinomialMixture(2, **start).fit(COUNTS), InvalidParameterError, *patterns)


def test_a_fitted_model_of_another_kind_is_no_start():
    gaussian = GaussianMixture(1).fit(ROWS)
    says(
        lambda: MultinomialMixture(1, init_params=gaussian).fit(COUNTS),
        InvalidParameterError,
        "init_params is a fitted GaussianMixture",
        "expected a multinomial mixture",
    )
    says(
        lambda: GaussianMixture(1, covariance_type="diag", init_params=gaussian).fit(ROWS),
        InvalidParameterError,
        "covariance_type: full",
        "covariance_type='diag'",
    )


# --- groups -------------------------------------------------------------------------------------------------------
def test_groups_of_another_length():
    says(
        lambda: GroupedMultinomialMixture(2).fit(COUNTS, groups=[1, 2]),
        InvalidDataError,
        r"groups has shape \(2,\)",
        r"expected \(5,\)",
        "one label for each row",
    )


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_row_without_a_group(missing):
    groups = np.array(["a", "a", missing, "b", "b"], dtype=object)
    says(
        lambda: GroupedMultinomialMixture(2).fit(COUNTS, groups=groups),
        InvalidDataError,
        r"groups\[2\] is missing",
        "a label for every row",
        "Drop these 1 rows",
    )


@pytest.mark.parametrize("value", ["lern", -1.0, True, float("nan")])
def test_a_concentration_that_is_none(value):
    model = GroupedMultinomialMixture(2, concentration=value)
    says(lambda: model.fit(COUNTS), InvalidParameterError, "concentration is", "from 0 .* to infinity")


def test_criteria_do_not_apply_to_weights_without_a_law():
    model = GroupedMultinomialMixture(2, concentration=0.0, random_state=0).fit(
        COUNTS, groups=[0, 0, 1, 1, 1]
    )
    says(model.n_parameters, InvalidParameterError, "concentration=0", "held-out likelihood")


# --- Mixture and select -------------------------------------------------------------------------------------------
def test_components_that_are_none():
    says(
        lambda: Mixture("gaussian").fit(ROWS),
        InvalidParameterError,
        "components is 'gaussian'",
        "expected a component",
    )
    assert Mixture(Normal(), 2, random_state=0).fit(ROWS[:, 0]).n_components_ == 2


@pytest.mark.parametrize(
    ("arguments", "patterns"),
    [
        ({"criterion": "bics"}, ["criterion is 'bics'", "Did you mean 'bic'"]),
        ({"n_components": []}, [r"n_components is \[\]", "at least one"]),
        ({"n_components": [0, 1]}, ["n_components", "at least 1"]),
        ({"criterion": "held_out"}, ["held_out", "validation="]),
    ],
)
def test_a_sweep_over_nothing(arguments, patterns):
    says(lambda: select(GaussianMixture(), ROWS, **arguments), InvalidParameterError, *patterns)


def test_groups_of_mixed_types():
    groups = np.array([1, "a", 1, "a", 2.5], dtype=object)
    says(
        lambda: GroupedMultinomialMixture(1).fit(COUNTS, groups=groups),
        InvalidDataError,
        "groups mixes labels of types float, int, str",
        "expected one type",
        "Turn all of them into text",
    )


def test_groups_scored_under_another_type_are_not_taken_for_unknown_ones():
    model = GroupedMultinomialMixture(1).fit(COUNTS, groups=[1, 1, 2, 2, 2])
    says(
        lambda: model.score(COUNTS, groups=["1", "1", "2", "2", "2"]),
        InvalidDataError,
        "groups holds text",
        "fitted with numbers",
        "Give labels of the same type",
    )
    model.score(COUNTS, groups=[1.0, 1.0, 2.0, 2.0, 3.0])
    model.score(COUNTS, groups=np.array([1, 1, 2, 2, 3], dtype=object))


@pytest.mark.parametrize(
    "make", [GaussianMixture, PoissonMixture, lambda k: Mixture(Poisson(), k), MultinomialMixture]
)
def test_text_in_a_table_of_numbers_is_named(make):
    pd = pytest.importorskip("pandas")
    rows = pd.DataFrame({"visits": [1.0, 2.0, 3.0, 4.0], "channel": ["1", "2", "web", "3"]})
    with pytest.raises(InvalidDataError, match=r"row 2, column 'channel' is 'web'; expected a number"):
        make(2).fit(rows)
    with pytest.raises(InvalidDataError, match=r"row 2, column 1 is 'web'; expected a number"):
        make(2).fit(rows.to_numpy())


def test_text_among_the_covariates_of_a_regression_is_named():
    pd = pytest.importorskip("pandas")
    rows = pd.DataFrame({"price": [1.0, 2.0, 3.0, 4.0], "channel": ["1", "2", "web", "3"]})
    with pytest.raises(InvalidDataError, match=r"row 2, column 'channel' is 'web'; expected a number"):
        RegressionMixture(1).fit(rows, [1.0, 2.0, 3.0, 5.0])
