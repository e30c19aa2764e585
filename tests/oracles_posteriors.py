"""Oracles of Bayesian fits: evidence as a chain of SciPy's predictive laws, row by row, and variational steps in plain loops.

The evidence of rows is p(x1) p(x2 | x1) p(x3 | x1, x2) ...; with a conjugate prior each factor is a law with a name.
A cell that is missing (NaN) is left out where columns are independent.
"""

from math import exp, isnan, lgamma, log, pi, sqrt

import numpy as np
from scipy.special import digamma
from scipy.stats import (
    betabinom,
    betanbinom,
    dirichlet_multinomial,
    lomax,
    multivariate_t,
    nbinom,
    t,
)


def columns(x, one_column, *parameters):
    """Sum over the columns of x (N, D); each parameter has one value a column."""
    return sum(
        one_column([value for value in column if not isnan(value)], *(p[d] for p in parameters))
        for d, column in enumerate(np.asarray(x, dtype=float).T)
    )


def binomial(counts, a, b, trials=1):
    """Beta-binomial factors."""
    total = 0.0
    for x in counts:
        total += float(betabinom(trials, a, b).logpmf(x))
        a, b = a + x, b + trials - x
    return total


def own_trials(rows, a, b):
    """Binomial columns with the trials of each row in the last one."""
    total = 0.0
    a, b = list(a), list(b)
    for *counts, trials in rows:
        for d, x in enumerate(counts):
            if isnan(x):
                continue
            total += float(betabinom(int(trials), a[d], b[d]).logpmf(x))
            a[d], b[d] = a[d] + x, b[d] + trials - x
    return total


def geometric(failures, a, b):
    """Beta-geometric factors."""
    total = 0.0
    for x in failures:
        total += float(betanbinom(1, a, b).logpmf(x))
        a, b = a + 1.0, b + x
    return total


def poisson(rows, shape, rate, exposure=None):
    """Negative binomial factors of columns, with one exposure a row."""
    total = 0.0
    shape, rate = list(shape), list(rate)
    for n, row in enumerate(rows):
        time = 1.0 if exposure is None else exposure[n]
        for d, x in enumerate(row):
            if isnan(x):
                continue
            total += float(nbinom(shape[d], rate[d] / (rate[d] + time)).logpmf(x))
            shape[d], rate[d] = shape[d] + x, rate[d] + time
    return total


def exponential(times, shape, rate):
    """Lomax factors."""
    total = 0.0
    for x in times:
        total += float(lomax(shape, scale=rate).logpdf(x))
        shape, rate = shape + 1.0, rate + x
    return total


def levels(codes, concentration):
    """Polya's urn: a level's share of the pseudo-counts and counts so far."""
    counts = [float(a) for a in concentration]
    total = 0.0
    for code in codes:
        total += log(counts[int(code)] / sum(counts))
        counts[int(code)] += 1.0
    return total


def multinomial(rows, concentration):
    """Dirichlet-multinomial factors."""
    counts, total = np.array(concentration, dtype=float), 0.0
    for row in rows:
        x = np.asarray(row).astype(int)
        total += float(dirichlet_multinomial(counts, x.sum()).logpmf(x))
        counts = counts + x
    return total


def normal(values, mean, kappa, shape, rate):
    """Student-t factors of a Normal-Gamma prior."""
    total = 0.0
    for x in values:
        total += float(t(2.0 * shape, mean, sqrt(rate * (kappa + 1.0) / (shape * kappa))).logpdf(x))
        rate += 0.5 * kappa / (kappa + 1.0) * (x - mean) ** 2
        mean = (kappa * mean + x) / (kappa + 1.0)
        kappa, shape = kappa + 1.0, shape + 0.5
    return total


def log_normal(values, mean, kappa, shape, rate):
    """The same of logarithms, with the Jacobian."""
    logs = [log(x) for x in values]
    return normal(logs, mean, kappa, shape, rate) - sum(logs)


def full(rows, mean, kappa, degrees, scatter):
    """Multivariate Student-t factors of a Normal-Wishart prior."""
    mean, scatter, total = np.array(mean, dtype=float), np.array(scatter, dtype=float), 0.0
    for x in rows:
        free = degrees + 1.0 - len(mean)
        total += float(multivariate_t(mean, scatter * (kappa + 1.0) / (kappa * free), free).logpdf(x))
        scatter = scatter + kappa / (kappa + 1.0) * np.outer(x - mean, x - mean)
        mean = (kappa * mean + x) / (kappa + 1.0)
        kappa, degrees = kappa + 1.0, degrees + 1.0
    return total


def spherical(rows, mean, kappa, degrees, scatter):
    """The same with one precision for all columns: degrees of freedom grow by their number."""
    mean, total = np.array(mean, dtype=float), 0.0
    size = len(mean)
    for x in rows:
        factor = scatter * (kappa + 1.0) / (kappa * degrees)
        total += float(multivariate_t(mean, factor * np.eye(size), degrees * size).logpdf(x))
        scatter += kappa / (kappa + 1.0) * float(np.sum((x - mean) ** 2)) / size
        mean = (kappa * mean + x) / (kappa + 1.0)
        kappa, degrees = kappa + 1.0, degrees + 1.0
    return total


def diagonal(rows, mean, kappa, degrees, scatter):
    """A Normal-Gamma law a column: shape nu / 2, rate v / 2."""
    size = len(mean)
    return columns(rows, normal, mean, [kappa] * size, [degrees / 2.0] * size, [v / 2.0 for v in scatter])


# --- one step of variational Bayes, in loops --------------------------------------------------------------------------
def expected_weights(alpha):
    """E[log weight] of a Dirichlet law."""
    return [float(digamma(a) - digamma(sum(alpha))) for a in alpha]


def dirichlet_kl(q, p):
    """KL divergence of two Dirichlet laws."""
    value = lgamma(sum(q)) - lgamma(sum(p))
    for a, b, expected in zip(q, p, expected_weights(q), strict=True):
        value += lgamma(b) - lgamma(a) + (a - b) * expected
    return value


def shares(scores):
    """Log of the sum of exponentials, and each one's share of it."""
    top = max(scores)
    terms = [exp(score - top) for score in scores]
    return top + log(sum(terms)), [term / sum(terms) for term in terms]


def bernoulli_step(rows, pseudo_weights, prior, alpha, laws):
    """Bound of the laws, and the next ones. `laws[k][d]` is (a, b), `prior` (a, b) of every column."""
    n_components, n_features = len(alpha), len(rows[0])
    log_weight = expected_weights(alpha)
    bound = -dirichlet_kl(alpha, pseudo_weights)
    for law in laws:
        for pair in law:
            bound -= dirichlet_kl(pair, prior)  # a beta law is a Dirichlet law of two
    counts = [0.0] * n_components
    ones = [[0.0] * n_features for _ in range(n_components)]
    for x in rows:
        scores = []
        for k in range(n_components):
            score = log_weight[k]
            for d in range(n_features):
                a, b = laws[k][d]
                score += float(digamma(a if x[d] else b) - digamma(a + b))
            scores.append(score)
        evidence, resp = shares(scores)
        bound += evidence
        for k in range(n_components):
            counts[k] += resp[k]
            for d in range(n_features):
                ones[k][d] += resp[k] * x[d]
    alpha = [p + n for p, n in zip(pseudo_weights, counts, strict=True)]
    laws = [
        [(prior[0] + ones[k][d], prior[1] + counts[k] - ones[k][d]) for d in range(n_features)]
        for k in range(n_components)
    ]
    return bound, alpha, laws


def wishart_log_partition(scatter, degrees):
    """Log of the normalising constant of a Wishart law of precisions."""
    size = len(scatter)
    value = 0.5 * degrees * (size * log(2.0) - float(np.linalg.slogdet(scatter)[1]))
    value += 0.25 * size * (size - 1) * log(pi)
    for d in range(size):
        value += lgamma(0.5 * (degrees - d))
    return value


def expected_log_det(scatter, degrees):
    """E[log |Lambda|] (Bishop, equation 10.65)."""
    size = len(scatter)
    value = size * log(2.0) - float(np.linalg.slogdet(scatter)[1])
    for d in range(size):
        value += float(digamma(0.5 * (degrees - d)))
    return value


def normal_wishart_kl(q, p):
    """KL divergence of Normal-Wishart laws (mean, kappa, degrees, scatter)."""
    (mean, kappa, degrees, scatter), (mean0, kappa0, degrees0, scatter0) = q, p
    size = len(mean)
    precision = degrees * np.linalg.inv(scatter)
    gap = np.asarray(mean) - mean0
    value = 0.5 * (
        size * (kappa0 / kappa - 1.0 + log(kappa / kappa0)) + kappa0 * float(gap @ precision @ gap)
    )
    value += wishart_log_partition(scatter0, degrees0) - wishart_log_partition(scatter, degrees)
    value += 0.5 * (degrees - degrees0) * expected_log_det(scatter, degrees)
    return value + 0.5 * float(np.trace((scatter0 - scatter) @ precision))


def gaussian_step(rows, pseudo_weights, prior, alpha, laws):
    """The same for Gaussians with full covariances: a law is (mean, kappa, degrees, scatter) (Bishop 10.46 to 10.67)."""
    n_components, size = len(alpha), len(rows[0])
    log_weight = expected_weights(alpha)
    bound = -dirichlet_kl(alpha, pseudo_weights) - sum(normal_wishart_kl(law, prior) for law in laws)
    resp = []
    for x in rows:
        scores = []
        for k, (mean, kappa, degrees, scatter) in enumerate(laws):
            gap = np.asarray(x) - mean
            distance = degrees * float(gap @ np.linalg.inv(scatter) @ gap) + size / kappa
            log_det = expected_log_det(scatter, degrees)
            scores.append(log_weight[k] + 0.5 * (log_det - size * log(2.0 * pi) - distance))
        evidence, share = shares(scores)
        bound += evidence
        resp.append(share)
    new_alpha, new_laws = [], []
    mean0, kappa0, degrees0, scatter0 = prior
    for k in range(n_components):
        count = sum(share[k] for share in resp)
        centre = sum(share[k] * np.asarray(x) for share, x in zip(resp, rows, strict=True)) / count
        spread = sum(share[k] * np.outer(x - centre, x - centre) for share, x in zip(resp, rows, strict=True))
        gap = centre - mean0
        new_alpha.append(pseudo_weights[k] + count)
        new_laws.append(
            (
                (kappa0 * np.asarray(mean0) + count * centre) / (kappa0 + count),
                kappa0 + count,
                degrees0 + count,
                scatter0 + spread + kappa0 * count / (kappa0 + count) * np.outer(gap, gap),
            )
        )
    return bound, new_alpha, new_laws
