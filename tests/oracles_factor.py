"""Oracle for factor analysers: loops over rows, columns and factors, from the formulas, sharing nothing with the library."""

from math import exp, log

from naive import gaussian_log_density, log_sum_exp


def covariance(loadings, noise):
    """Lambda Lambda' + Psi as lists."""
    size = len(noise)
    return [
        [
            sum(a * b for a, b in zip(loadings[i], loadings[j], strict=True)) + (noise[i] if i == j else 0.0)
            for j in range(size)
        ]
        for i in range(size)
    ]


def log_density(x, mean, loadings, noise):
    """log N(x | mean, Lambda Lambda' + Psi), by the dense matrix."""
    return gaussian_log_density(x, mean, covariance(loadings, noise))


def solve(matrix, right):
    """Gaussian elimination with pivots; `right` has a column a right-hand side."""
    size = len(matrix)
    rows = [[*map(float, matrix[i]), *map(float, right[i])] for i in range(size)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(size):
            if r != i:
                ratio = rows[r][i] / rows[i][i]
                rows[r] = [a - ratio * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [[value / rows[i][i] for value in rows[i][size:]] for i in range(size)]


def posterior(x, mean, loadings, noise):
    """Mean and covariance of the factors given a row (Ghahramani and Hinton 1996, equations 2 and 3), by dense matrices."""
    size, q = len(noise), len(loadings[0])
    beta_columns = solve(covariance(loadings, noise), loadings)  # Sigma^-1 Lambda
    centre = [sum(beta_columns[d][j] * (x[d] - mean[d]) for d in range(size)) for j in range(q)]
    spread = [
        [(i == j) - sum(beta_columns[d][i] * loadings[d][j] for d in range(size)) for j in range(q)]
        for i in range(q)
    ]
    return centre, spread


def em_step(rows, weights, means, loadings, noise, kind):
    """One EM step whose missing data are labels and factors; also the log-likelihood before it.

    Ghahramani and Hinton (1996), appendix: means and loadings together from expected factors with a one appended.
    """
    n_components, size, q = len(means), len(rows[0]), len(loadings[0][0])
    total, resp = 0.0, []
    for x in rows:
        joint = [
            log(weights[k]) + log_density(x, means[k], loadings[k], noise[k]) for k in range(n_components)
        ]
        evidence = log_sum_exp(joint)
        total += evidence
        resp.append([exp(value - evidence) for value in joint])
    counts = [sum(r[k] for r in resp) for k in range(n_components)]
    new_means, new_loadings, left = [], [], []
    for k in range(n_components):
        second = [[0.0] * (q + 1) for _ in range(q + 1)]
        cross = [[0.0] * (q + 1) for _ in range(size)]
        squares = [0.0] * size
        for x, r in zip(rows, resp, strict=True):
            centre, spread = posterior(x, means[k], loadings[k], noise[k])
            centre = [*centre, 1.0]
            for i in range(q + 1):
                for j in range(q + 1):
                    inner = spread[i][j] if i < q and j < q else 0.0
                    second[i][j] += r[k] * (inner + centre[i] * centre[j])
                for d in range(size):
                    cross[d][i] += r[k] * x[d] * centre[i]
            for d in range(size):
                squares[d] += r[k] * x[d] ** 2
        transposed = [[cross[d][i] for d in range(size)] for i in range(q + 1)]
        found = solve(second, transposed)
        new_means.append([found[q][d] for d in range(size)])
        new_loadings.append([[found[i][d] for i in range(q)] for d in range(size)])
        left.append([squares[d] - sum(found[i][d] * cross[d][i] for i in range(q + 1)) for d in range(size)])
    return total, counts, new_means, new_loadings, _noise(kind, counts, left)


def _noise(kind, counts, left):
    n_components, size = len(counts), len(left[0])
    if kind == "own":
        return [[left[k][d] / counts[k] for d in range(size)] for k in range(n_components)]
    if kind == "common":
        shared = [sum(left[k][d] for k in range(n_components)) / sum(counts) for d in range(size)]
        return [shared] * n_components
    if kind == "isotropic":
        return [[sum(left[k]) / (size * counts[k])] * size for k in range(n_components)]
    return [[sum(map(sum, left)) / (size * sum(counts))] * size] * n_components
