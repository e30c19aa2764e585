"""Every component that can take its columns apart: p(x) = p(some) p(the others | some), and what it expects where cells are missing."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import multivariate_t

from contract import specimens
from mixtura.components import (
    Diagonal,
    Gaussian,
    Nested,
    Product,
    ScipyDistribution,
    SkewNormal,
    StudentT,
    UniformNoise,
    Union,
    hooks,
)
from mixtura.components.conditioning import log_prob_at, observed_log_prob, others
from mixtura.exceptions import InvalidParameterError
from mixtura.families import Bernoulli, Binomial, Categorical, ExponentialFamily, FamilyComponents, Poisson
from mixtura.families.multinomial import MultinomialComponents
from mixtura.protocols import Encoding

# Why each of these has no law of some of its columns, in the words of the message.
REFUSE = {
    "Multinomial": "total",
    "DirichletMultinomial": "total",
    "Dirichlet": "sum to 1",
    "VonMisesFisher": "no direction",
    "GaussianResponse": "(no method|no law of their own)",
    "LogisticResponse": "(no method|no law of their own)",
    "PoissonResponse": "(no method|no law of their own)",
    "Concomitant": "(no method|no law of their own)",
}


def _subjects():
    for name, specimen in specimens.FAMILIES.items():
        yield name, FamilyComponents(*specimen.subject)
    for name, specimen in specimens.COMPONENTS.items():  # a mixture with posterior laws takes its point apart
        yield name, getattr(specimen.subject, "point", specimen.subject)


def _reason(name, component):
    """Under which key of `REFUSE` a component stands, if it stands there."""
    return "Multinomial" if isinstance(component, MultinomialComponents) else name.split(",")[0]


ALL = dict(_subjects())
REFUSING = [name for name, one in ALL.items() if _reason(name, one) in REFUSE]
ABLE = [name for name in ALL if name not in REFUSING and hasattr(ALL[name], "restricted")]


def rows_of(component, n=12, seed=0):
    """Rows (D, K n) of all components, and the component of each."""
    rng, size = np.random.default_rng(seed), component.n_components
    rows = np.concatenate([component.sample(k, n, rng) for k in range(size)]).T
    return np.ascontiguousarray(rows, dtype=float), np.repeat(np.arange(size), n)


def scores(component, x):
    return np.array(component.log_prob(component.encode(x, Encoding(len(x)))))


def n_given(component):
    """Last columns that are taken as given, with which every law is."""
    return getattr(getattr(component, "family", None), "n_given", 0)


def subsets(component, n_features, most=12):
    """Columns that may be known, some in another order; some of the choices where there are many."""
    taken = n_given(component)
    values, given = range(n_features - taken), list(range(n_features - taken, n_features))
    sizes = range(0 if taken else 1, len(values))
    if n_features > 4:
        rng = np.random.default_rng(0)
        return [rng.permutation(n_features)[: rng.integers(1, n_features)] for _ in range(most)]
    return [np.array([*own, *given]) for size in sizes for own in itertools.permutations(values, size)]


def skewed(component, columns):
    return isinstance(component, SkewNormal) and component.skewness[:, columns].any()


@pytest.mark.parametrize("name", ABLE)
def test_a_law_is_that_of_some_columns_times_that_of_the_others_given_these(name):
    component = ALL[name]
    x, _ = rows_of(component, 5)
    whole, everything = scores(component, x), np.arange(len(x))
    # The special functions and factors of other sizes agree to about eleven digits.
    assert_allclose(scores(hooks.restricted(component, everything), x), whole, rtol=1e-10, atol=1e-10)
    for columns in subsets(component, len(x)):
        if skewed(component, columns):
            continue
        known = scores(hooks.restricted(component, columns), x[columns])
        rest = others(len(x), columns)
        for row in range(x.shape[1]):
            conditional = hooks.conditioned(component, columns, x[columns, row])
            assert conditional.n_components == component.n_components
            found = known[:, row] + log_prob_at(conditional, x[rest, row])
            assert_allclose(found, whole[:, row], rtol=1e-9, atol=1e-9, err_msg=f"columns {columns} given")


@pytest.mark.parametrize("name", [name for name in ABLE if hooks.is_marginal(ALL[name])])
def test_the_law_of_some_columns_is_that_of_rows_which_lack_the_others(name):
    component = ALL[name]
    x, _ = rows_of(component, 5)
    for columns in subsets(component, len(x)):
        lacking = x.copy()
        lacking[np.setdiff1d(np.arange(len(x) - n_given(component)), columns)] = np.nan
        missing = Encoding(len(x), missing=True)
        expected = component.log_prob(component.encode(lacking, missing))
        part = hooks.restricted(component, columns)
        assert_allclose(scores(part, x[columns]), expected, rtol=1e-9, atol=1e-9)
        assert_allclose(observed_log_prob(component, lacking, Encoding(len(x))), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ABLE
        if "support" in specimens.COMPONENTS.get(name, specimens.FAMILIES.get(name)).arguments
    ],
)
def test_the_law_of_some_columns_is_the_sum_over_the_others(name):
    component = ALL[name]
    specimen = specimens.COMPONENTS.get(name) or specimens.FAMILIES[name]
    grid = np.asarray(specimen.arguments["support"], dtype=float)
    if len(grid) == 1 or name.startswith("StudentT"):  # heavy tails end outside of the grid
        pytest.skip("one column, or a grid that does not hold it all")
    density = np.exp(scores(component, grid))
    for columns in subsets(component, len(grid)):
        cells, place = np.unique(grid[columns], axis=1, return_inverse=True)
        sums = np.stack([np.bincount(place.ravel(), row) for row in density])
        found = np.exp(scores(hooks.restricted(component, columns), cells))
        # Shares, whatever the volume of the cells; the midpoint rule and what lies outside of the grid.
        shares = [value / value.sum(axis=1, keepdims=True) for value in (found, sums)]
        assert_allclose(*shares, atol=1e-6)


def _simplified(cells):
    """Values of what is expected of one column, for one row."""
    return np.squeeze(np.asarray(cells))[()]


@pytest.mark.parametrize("name", ABLE)
def test_what_is_expected_of_missing_cells_is_what_the_conditional_law_expects(name):
    component = ALL[name]
    x, label = rows_of(component, 3)
    resp = np.eye(component.n_components)
    for columns in subsets(component, len(x)):
        rest = others(len(x), columns)
        for row, k in enumerate(label):
            lacking = x[:, [row]].copy()
            lacking[rest] = np.nan
            found = hooks.expected_cells(component, lacking, resp[:, [k]], Encoding(len(x), missing=True))
            if skewed(component, columns):
                continue
            alone = hooks.conditioned(component, columns, x[columns, row])
            nothing = np.full((len(rest), 1), np.nan)
            expected = hooks.expected_cells(alone, nothing, resp[:, [k]], Encoding(len(rest), missing=True))
            for place, column in enumerate(rest):
                assert_allclose(
                    _simplified(found[column]), _simplified(expected[place]), rtol=1e-8, atol=1e-9
                )


@pytest.mark.parametrize("name", ABLE)
def test_what_is_expected_of_rows_without_cells_is_what_samples_show(name):
    component, n = ALL[name], 4000
    taken, resp = n_given(component), np.eye(component.n_components)
    for k in range(component.n_components):
        x = component.sample(k, n, np.random.default_rng(k)).T.astype(float)
        lacking = np.full((len(x), 1), np.nan)
        lacking[len(x) - taken :] = 1.0  # the exposure of samples
        cells = hooks.expected_cells(component, lacking, resp[:, [k]], Encoding(len(x), missing=True))
        for column in range(len(x) - taken):
            found, seen = _simplified(cells[column]), x[column]
            if np.iscomplexobj(found):
                seen = np.exp(1j * seen)
            elif np.ndim(found):
                seen = np.stack([seen == level for level in range(len(found))]).astype(float).T
            if name.startswith("StudentT") and component.degrees_of_freedom[k] < 3:
                continue  # samples have no variance to speak of
            error = seen.std(axis=0) / np.sqrt(n)
            assert np.all(np.abs(seen.mean(axis=0) - found) <= 5.0 * error + 1e-9), (k, column)


SHAPES = {
    "Gaussian": Gaussian([[0.0, 1.0], [2.0, -1.0]], [[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.2], [-0.2, 0.4]]]),
    "StudentT": StudentT(
        [[0.0, 1.0], [2.0, -1.0]], [[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.2], [-0.2, 0.4]]], [4.0, 9.0]
    ),
    "SkewNormal": SkewNormal(
        [[0.0, 1.0], [2.0, -1.0]],
        [[1.5, -0.7], [0.3, 2.0]],
        [[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.2], [-0.2, 0.4]]],
    ),
    "Nested": Nested(
        Gaussian(
            np.array([[0.0, 0.0], [3.0, 3.0], [0.0, 2.0], [1.0, -2.0]]), np.full((4, 2), 0.7), Diagonal()
        ),
        2,
        [[0.3, 0.7], [0.9, 0.1]],
    ),
    "Union": Union(
        Gaussian([[0.0, 1.0]], [[[1.0, 0.6], [0.6, 2.0]]]), Gaussian([[2.0, 0.0]], [[0.3, 0.4]], Diagonal())
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_expected_cells_are_integrals(name):
    component = SHAPES[name]
    for k, seen in itertools.product(range(2), (-0.8, 0.5, 2.5)):
        one = component.take([k])

        def moment(value, power, one=one, seen=seen):
            return value**power * np.exp(log_prob_at(one, np.array([seen, value]))[0])

        total, first = (quad(moment, -np.inf, np.inf, args=(power,), epsabs=1e-12)[0] for power in (0, 1))
        lacking = np.array([[seen], [np.nan]])
        found = hooks.completed(component, lacking, np.eye(2)[:, [k]], Encoding(2, missing=True))
        assert_allclose(found, [[seen], [first / total]], rtol=1e-6, atol=1e-8)  # of the integrals


def test_a_conditional_student_law_has_more_degrees_of_freedom_and_scales_by_the_distance():
    mean, scale = np.array([[1.0, 2.0, 0.0]]), np.array([[2.0, 0.5, 0.3], [0.5, 1.0, -0.2], [0.3, -0.2, 1.5]])
    given = np.array([3.0])
    found = StudentT(mean, scale[None], [5.0]).conditioned(np.array([0]), given)
    distance = (3.0 - 1.0) ** 2 / 2.0
    assert_allclose(found.degrees_of_freedom, 6.0)
    assert_allclose(found.mean, [[2.0 + 0.25 * 2.0, 0.0 + 0.15 * 2.0]])
    normal = scale[1:, 1:] - np.outer(scale[1:, 0], scale[0, 1:]) / 2.0
    assert_allclose(found.matrices[0], (5.0 + distance) / 6.0 * normal)
    joint, alone = multivariate_t(mean[0], scale, 5.0), multivariate_t([1.0], [[2.0]], 5.0)
    row = np.array([3.0, 1.4, 0.2])
    assert_allclose(log_prob_at(found, row[1:]), joint.logpdf(row) - alone.logpdf(3.0), rtol=1e-12)


def test_the_law_of_columns_of_a_gaussian_is_full_or_diagonal():
    for name in [name for name in ALL if name.startswith("Gaussian, ")]:
        gaussian = ALL[name]
        part = gaussian.conditioned(np.array([0]), np.zeros(1))
        diagonal = gaussian.model.independent_columns
        assert part.model.name == ("diag" if diagonal else "full"), name


def test_a_skew_normal_law_given_a_column_without_skewness():
    component = SHAPES["SkewNormal"]
    straight = SkewNormal(component.location, component.skewness * [0.0, 1.0], component.scale)
    found = straight.conditioned(np.array([0]), np.array([0.4]))
    row = np.array([0.4, 1.1])
    whole = log_prob_at(straight, row)
    assert_allclose(
        log_prob_at(hooks.restricted(straight, [0]), row[:1]) + log_prob_at(found, row[1:]), whole
    )
    with pytest.raises(InvalidParameterError, match=r"skew-normal .* its column 1, in which it is skewed"):
        hooks.conditioned(straight, [0, 1][1:], np.array([1.0]))


def test_trials_and_exposure_that_are_known_are_put_in():
    calls = FamilyComponents(Poisson(exposure=True)).from_mean(np.array([[2.0, 0.5], [7.0, 1.0]]))
    alone = hooks.conditioned(calls, [0, 2], np.array([3.0, 4.0]))
    assert_allclose(alone.mean, [[2.0], [4.0]])
    assert not alone.family.exposed
    tries = FamilyComponents(Binomial(), np.zeros((1, 2)))
    assert_allclose(hooks.conditioned(tries, [2], np.array([6.0])).mean, [[3.0, 3.0]])
    columns = FamilyComponents(Binomial([2, 5, 9]), np.zeros((1, 3)))
    assert_allclose(hooks.restricted(columns, [2, 0]).mean, [[4.5, 1.0]])
    with pytest.raises(InvalidParameterError, match=r"columns of the Poisson component .* expected column 2"):
        hooks.restricted(calls, [0, 1])


def test_a_product_takes_blocks_and_columns_in_any_order():
    product = Product(
        {
            "pair": (Gaussian([[0.0, 5.0]], [[[1.0, 0.6], [0.6, 2.0]]]), [3, 0]),
            "level": (FamilyComponents(Categorical([2, 3]), np.log([[0.4, 0.6, 0.2, 0.3, 0.5]])), [1, 2]),
        }
    )
    part = hooks.restricted(product, [2, 0])
    assert part.columns == {"pair": (1,), "level": (0,)}
    assert_allclose(part["level"].mean, [[0.2, 0.3, 0.5]])
    assert_allclose(part["pair"].mean, [[5.0]])
    given = hooks.conditioned(product, [0, 1], np.array([6.0, 1.0]))
    assert given.columns == {"pair": (1,), "level": (0,)}
    assert_allclose(given["pair"].mean, [[0.3]])
    assert list(hooks.conditioned(product, [3, 0], np.array([0.0, 6.0])).blocks) == ["level"]


@pytest.mark.parametrize("name", REFUSING)
def test_components_without_laws_of_columns_say_so(name):
    component, why = ALL[name], REFUSE[_reason(name, ALL[name])]
    for refused in (
        lambda: hooks.restricted(component, [0]),
        lambda: hooks.conditioned(component, [0], np.zeros(1)),
        lambda: hooks.completed(component, np.full((3, 1), np.nan), np.ones((1, 1)), Encoding(3)),
    ):
        with pytest.raises(InvalidParameterError, match=f"{component.name} component cannot be .*{why}"):
            refused()


def test_noise_in_a_turned_region_and_families_that_do_not_say_refuse():
    turned = UniformNoise([0, 0], [1, 2], [[0.8, -0.6], [0.6, 0.8]], n_components=1)
    with pytest.raises(InvalidParameterError, match=r"volume does not divide by columns. Give it a box"):
        hooks.restricted(turned, [0])
    with pytest.raises(InvalidParameterError, match=r"Block 'all': The uniform noise component cannot"):
        hooks.restricted(Product({"all": (turned, [0, 1])}), [0])

    class Plain(ExponentialFamily):
        """Bernoulli columns, of which nobody says that they are independent."""

        statistics = Bernoulli.statistics
        log_base_measure = Bernoulli.log_base_measure
        natural_from_mean = Bernoulli.natural_from_mean
        mean_from_natural = Bernoulli.mean_from_natural
        sample = Bernoulli.sample

        def log_normalizer(self, natural):
            return Bernoulli().log_normalizer(natural)

    with pytest.raises(InvalidParameterError, match="it is no ColumnFamily"):
        hooks.restricted(FamilyComponents(Plain(), np.zeros((1, 2))), [0])

    class Silent(Bernoulli):
        """It does not say what it expects."""

        name = "silent"

        def expected(self, natural):
            return super(Bernoulli, self).expected(natural)

    lost, one = np.full((2, 1), np.nan), np.ones((1, 1))
    with pytest.raises(
        InvalidParameterError, match=r"silent family does not say .* Write expected\(natural\)"
    ):
        hooks.completed(FamilyComponents(Silent(), np.zeros((1, 2))), lost, one, Encoding(2))


def test_a_law_without_a_mean_fills_nothing_in():
    from scipy.stats import cauchy

    one = ScipyDistribution(cauchy, parameters={"loc": np.zeros((1, 1)), "scale": np.ones((1, 1))})
    with pytest.raises(InvalidParameterError, match=r"Column 0 \(scipy.stats.cauchy\) has no finite mean"):
        hooks.completed(one, np.full((1, 1), np.nan), np.ones((1, 1)), Encoding(1))


def test_kinds_that_take_a_column_for_different_things_fill_nothing_in():
    union = Union(
        FamilyComponents(Categorical([2]), np.log([[0.4, 0.6]])),
        FamilyComponents(Bernoulli(), np.zeros((1, 1))),
    )
    with pytest.raises(InvalidParameterError, match="Column 0 is a number for one kind of the union"):
        hooks.completed(union, np.full((1, 1), np.nan), np.full((2, 1), 0.5), Encoding(1))


def test_levels_and_angles_are_not_averaged():
    shares = np.array([[0.4, 0.35, 0.25], [0.0, 0.3, 0.7]])
    levels = FamilyComponents(Categorical([3]), np.log(np.maximum(shares, 1e-10)))
    lost = np.full((1, 2), np.nan)
    resp = np.array([[0.9, 0.45], [0.1, 0.55]])
    assert hooks.completed(levels, lost, resp, Encoding(1)).tolist() == [[0.0, 2.0]]
    angles = ALL["VonMises"]
    x = np.full((len(angles.sample(0, 1, np.random.default_rng(0))[0]), 1), np.nan)
    resp = np.ones((angles.n_components, 1)) / angles.n_components
    cosine, sine = np.split(angles.mean.mean(axis=0), 2)
    assert_allclose(hooks.completed(angles, x, resp, Encoding(len(x)))[:, 0], np.arctan2(sine, cosine))


class _NotMoved(Gaussian):
    """Given columns do not move the others."""

    def conditioned(self, columns, values):
        return super().conditioned(columns, self.mean[0, columns])


class _NotWidened(StudentT):
    """The scale does not grow with the distance."""

    def conditioned(self, columns, values):
        law = super().conditioned(columns, values)
        plain = self.normal.conditioned(columns, values)
        return StudentT(law.mean, plain.matrices, law.degrees_of_freedom)


class _NotWeighted(Nested):
    """Inner weights are those of rows of which nothing is known."""

    def conditioned(self, columns, values):
        return self._with(hooks.conditioned(self.inner, columns, values), self.log_weights)


@pytest.mark.parametrize(
    ("healthy", "kind"), [("Gaussian", _NotMoved), ("StudentT", _NotWidened), ("Nested", _NotWeighted)]
)
def test_a_wrong_conditional_law_is_noticed(healthy, kind, monkeypatch):
    wrong = SHAPES[healthy].take([0, 1])
    wrong.__class__ = kind
    monkeypatch.setitem(ALL, "wrong", SHAPES[healthy])
    test_a_law_is_that_of_some_columns_times_that_of_the_others_given_these("wrong")
    monkeypatch.setitem(ALL, "wrong", wrong)
    with pytest.raises(AssertionError, match="given"):
        test_a_law_is_that_of_some_columns_times_that_of_the_others_given_these("wrong")
