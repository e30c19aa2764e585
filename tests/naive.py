"""The oracle: everything by loops over rows, components and columns, from the formulas, sharing nothing with the library.

Slow on purpose. Lists in, lists out; only the special functions come from elsewhere.
"""

from itertools import product
from math import exp, lgamma, log, pi

from scipy.special import digamma, polygamma

# --- linear algebra -----------------------------------------------------------------------------------------------


def cholesky(matrix):
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(lower[i][m] * lower[j][m] for m in range(j))
            lower[i][j] = rest**0.5 if i == j else rest / lower[j][j]
    return lower


def gaussian_log_density(x, mean, covariance):
    """log N(x | mean, covariance) by forward substitution."""
    lower = cholesky(covariance)
    size = len(x)
    white = []
    for i in range(size):
        rest = x[i] - mean[i] - sum(lower[i][j] * white[j] for j in range(i))
        white.append(rest / lower[i][i])
    log_det = sum(2.0 * log(lower[i][i]) for i in range(size))
    return -0.5 * (size * log(2.0 * pi) + log_det + sum(value * value for value in white))


def multinomial_log_density(x, shares):
    total = lgamma(sum(x) + 1.0)
    for count, share in zip(x, shares, strict=True):
        total -= lgamma(count + 1.0)
        if count > 0:
            total += count * log(share)
    return total


# --- the E-step ---------------------------------------------------------------------------------------------------


def log_sum_exp(values):
    top = max(values)
    return top + log(sum(exp(value - top) for value in values))


def e_step(scores, weights):
    """Responsibilities of every row and the total log-likelihood; scores[n][k]."""
    resp, total = [], 0.0
    for row in scores:
        joint = [log(weight) + score for weight, score in zip(weights, row, strict=True)]
        evidence = log_sum_exp(joint)
        resp.append([exp(value - evidence) for value in joint])
        total += evidence
    return resp, total


# --- Gaussian mixtures --------------------------------------------------------------------------------------------


def gaussian_m_step(rows, resp, kind, added=0.0):
    """Weights, means and full K matrices of a covariance type."""
    n_rows, size, n_components = len(rows), len(rows[0]), len(resp[0])
    weights, means, scatters, counts = [], [], [], []
    for k in range(n_components):
        count = sum(resp[n][k] for n in range(n_rows))
        mean = [sum(resp[n][k] * rows[n][d] for n in range(n_rows)) / count for d in range(size)]
        scatter = [[0.0] * size for _ in range(size)]
        for n in range(n_rows):
            for i in range(size):
                for j in range(size):
                    scatter[i][j] += resp[n][k] * (rows[n][i] - mean[i]) * (rows[n][j] - mean[j])
        counts.append(count)
        weights.append(count / n_rows)
        means.append(mean)
        scatters.append(scatter)
    return weights, means, _covariances(counts, scatters, kind, added)


def _covariances(counts, scatters, kind, added):
    size, result = len(scatters[0]), []
    for k in range(len(counts)):
        matrix = [[0.0] * size for _ in range(size)]
        for i in range(size):
            for j in range(size):
                if kind == "full":
                    matrix[i][j] = scatters[k][i][j] / counts[k]
                elif kind == "tied":
                    matrix[i][j] = sum(scatter[i][j] for scatter in scatters) / sum(counts)
                elif kind == "diag" and i == j:
                    matrix[i][j] = scatters[k][i][i] / counts[k]
                elif kind == "spherical" and i == j:
                    matrix[i][j] = sum(scatters[k][d][d] for d in range(size)) / (size * counts[k])
            matrix[i][i] += added
        result.append(matrix)
    return result


def gaussian_em(rows, weights, means, covariances, kind, steps, added=0.0):
    """`steps` EM steps; the log-likelihood before each of them and at the end."""
    history = []
    for step in range(steps + 1):
        scores = [
            [gaussian_log_density(x, mean, matrix) for mean, matrix in zip(means, covariances, strict=True)]
            for x in rows
        ]
        resp, total = e_step(scores, weights)
        history.append(total)
        if step < steps:
            weights, means, covariances = gaussian_m_step(rows, resp, kind, added)
    return weights, means, covariances, history


# --- multinomial mixtures -----------------------------------------------------------------------------------------


def multinomial_m_step(rows, resp, pseudo_count=0.0):
    """Shares of every component."""
    shares = []
    for k in range(len(resp[0])):
        sums = [
            pseudo_count + sum(r[k] * x[c] for r, x in zip(resp, rows, strict=True))
            for c in range(len(rows[0]))
        ]
        shares.append([value / sum(sums) for value in sums])
    return shares


def multinomial_em(rows, weights, shares, steps, pseudo_count=0.0):
    """`steps` EM steps and the log-likelihoods (without the prior)."""
    history = []
    for step in range(steps + 1):
        scores = [[multinomial_log_density(x, share) for share in shares] for x in rows]
        resp, total = e_step(scores, weights)
        history.append(total)
        if step < steps:
            weights = [sum(r[k] for r in resp) / len(rows) for k in range(len(weights))]
            shares = multinomial_m_step(rows, resp, pseudo_count)
    return weights, shares, history


# --- Dirichlet-multinomials ---------------------------------------------------------------------------------------


def dirichlet_multinomial_log_density(x, alpha):
    total = lgamma(sum(x) + 1.0) + lgamma(sum(alpha)) - lgamma(sum(x) + sum(alpha))
    for count, a in zip(x, alpha, strict=True):
        total += lgamma(count + a) - lgamma(a) - lgamma(count + 1.0)
    return total


def solve(matrix, right):
    """Gauss's elimination with pivots."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda m: abs(rows[m][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for m in range(i + 1, size):
            factor = rows[m][i] / rows[i][i]
            rows[m] = [a - factor * b for a, b in zip(rows[m], rows[i], strict=True)]
    result = [0.0] * size
    for i in reversed(range(size)):
        rest = rows[i][size] - sum(rows[i][m] * result[m] for m in range(i + 1, size))
        result[i] = rest / rows[i][i]
    return result


def dirichlet_multinomial_newton(rows, resp, alpha, farthest=1.5):
    """One Newton step of one component in log alpha, with the whole Hessian written out."""
    size, total = len(alpha), sum(alpha)
    gradient, hessian = [0.0] * size, [[0.0] * size for _ in range(size)]
    for x, r in zip(rows, resp, strict=True):
        n = sum(x)
        slope = float(digamma(total)) - float(digamma(n + total))
        bend = float(polygamma(1, total)) - float(polygamma(1, n + total))
        for i in range(size):
            own = float(digamma(x[i] + alpha[i])) - float(digamma(alpha[i]))
            gradient[i] += r * alpha[i] * (own + slope)
            hessian[i][i] += r * alpha[i] ** 2 * float(polygamma(1, x[i] + alpha[i]) - polygamma(1, alpha[i]))
            for j in range(size):
                hessian[i][j] += r * alpha[i] * alpha[j] * bend
    for i in range(size):
        hessian[i][i] += min(gradient[i], 0.0)  # the part that makes it less concave is left out
    step = solve([[-value for value in row] for row in hessian], gradient)
    factor = min(1.0, farthest / max(abs(value) for value in step))
    return [a * exp(factor * value) for a, value in zip(alpha, step, strict=True)]


def dirichlet_multinomial_fixed_point(rows, resp, alpha):
    """One step of the bounds: a tangent in log alpha for counts of at least 1, in alpha after taking out log alpha below."""
    total, result = sum(alpha), []
    downhill = sum(
        r * float(digamma(sum(x) + total) - digamma(total)) for x, r in zip(rows, resp, strict=True)
    )
    for j, a in enumerate(alpha):
        logs, slope = 0.0, downhill
        for x, r in zip(rows, resp, strict=True):
            if x[j] >= 1.0:
                logs += r * a * float(digamma(x[j] + a) - digamma(a))
            elif x[j] > 0.0:
                logs += r
                slope += r * float(digamma(1.0 + a) - digamma(x[j] + a))
        result.append(logs / slope)
    return result


# --- weights per group --------------------------------------------------------------------------------------------


def dirichlet_divergence(posterior, prior):
    """KL of two Dirichlet laws."""
    value = lgamma(sum(posterior)) - lgamma(sum(prior))
    for a, b in zip(posterior, prior, strict=True):
        value += lgamma(b) - lgamma(a) + (a - b) * (float(digamma(a)) - float(digamma(sum(posterior))))
    return value


def group_bound(scores, prior, rounds=500):
    """One group: Dirichlet posterior, responsibilities and bound of mean-field inference, run to its end."""
    n_components = len(prior)
    posterior = [prior[k] + len(scores) * prior[k] / sum(prior) for k in range(n_components)]
    for _ in range(rounds):
        expected = [float(digamma(a)) - float(digamma(sum(posterior))) for a in posterior]
        resp, total = [], 0.0
        for row in scores:
            joint = [expected[k] + row[k] for k in range(n_components)]
            evidence = log_sum_exp(joint)
            resp.append([exp(value - evidence) for value in joint])
            total += evidence
        bound = total - dirichlet_divergence(posterior, prior)
        posterior = [prior[k] + sum(r[k] for r in resp) for k in range(n_components)]
    return posterior, resp, bound


def group_log_evidence(scores, prior):
    """Exact log probability of a small group: the sum over all K^n assignments (Dirichlet-multinomial)."""
    n_components, terms = len(prior), []
    for path in product(range(n_components), repeat=len(scores)):
        counts = [path.count(k) for k in range(n_components)]
        value = lgamma(sum(prior)) - lgamma(sum(prior) + len(scores))
        value += sum(lgamma(prior[k] + counts[k]) - lgamma(prior[k]) for k in range(n_components))
        value += sum(scores[n][k] for n, k in enumerate(path))
        terms.append(value)
    return log_sum_exp(terms)


# --- merging components -------------------------------------------------------------------------------------------


def gaussian_bound(rows, resp, kind, added=0.0):
    """sum r log N(x) with the parameters that these responsibilities give."""
    _, means, covariances = gaussian_m_step(rows, resp, kind, added)
    return sum(
        share * gaussian_log_density(x, means[k], covariances[k])
        for x, shares in zip(rows, resp, strict=True)
        for k, share in enumerate(shares)
    )


def multinomial_bound(rows, resp):
    """sum r log Multinomial(x) with the shares that these responsibilities give."""
    shares = multinomial_m_step(rows, resp)
    return sum(
        r * multinomial_log_density(x, shares[k])
        for x, row in zip(rows, resp, strict=True)
        for k, r in enumerate(row)
    )


def weights_bound(resp):
    """sum r log(weight / r): the law of one set of weights and the entropy together."""
    total = 0.0
    for k in range(len(resp[0])):
        weight = sum(row[k] for row in resp) / len(resp)
        total += sum(row[k] * log(weight / row[k]) for row in resp if row[k] > 0)
    return total


def entropy(resp):
    return -sum(r * log(r) for row in resp for r in row if r > 0)


def household_bound(resp, groups, prior):
    """Dirichlet-multinomial of every group's expected counts, and the entropy."""
    total = entropy(resp)
    for group in sorted(set(groups)):
        counts = [
            sum(row[k] for row, g in zip(resp, groups, strict=True) if g == group) for k in range(len(prior))
        ]
        total += lgamma(sum(prior)) - lgamma(sum(prior) + sum(counts))
        total += sum(lgamma(a + n) - lgamma(a) for a, n in zip(prior, counts, strict=True))
    return total


def join(values, one, other):
    """A list in which entry `other` has been added to entry `one` and left out."""
    joined = [value + values[other] if k == one else value for k, value in enumerate(values)]
    return joined[:other] + joined[other + 1 :]


def segment_tree(resp, cost):
    """Merges of least cost, all pairs tried anew at every level: members of the merged cluster, and the cost.

    ``cost(before, after, one, other)`` takes responsibilities before and after the merge of two clusters.
    """
    members, merges = [{k} for k in range(len(resp[0]))], []
    while len(members) > 1:
        tried = []
        for one in range(len(members)):
            for other in range(one + 1, len(members)):
                after = [join(row, one, other) for row in resp]
                tried.append((cost(resp, after, one, other), one, other, after))
        value, one, other, after = min(tried, key=lambda item: item[0])
        merges.append((sorted(members[one] | members[other]), value))
        members[one] |= members[other]
        del members[other]
        resp = after
    return merges


# --- mixtures of independent columns ------------------------------------------------------------------------------


def bernoulli_log_density(x, probabilities):
    return sum(log(p) if value == 1 else log(1.0 - p) for value, p in zip(x, probabilities, strict=True))


def poisson_log_density(x, rates):
    pairs = zip(x, rates, strict=True)
    return sum(value * log(rate) - rate - lgamma(value + 1.0) for value, rate in pairs)


def column_m_step(rows, resp, pseudo_count=0.0, floor=0.0, ceiling=float("inf")):
    """Weighted means of every column, to which each component adds rows of the columns' averages."""
    n_rows, means = len(rows), []
    for k in range(len(resp[0])):
        count = pseudo_count + sum(r[k] for r in resp)
        row = []
        for j in range(len(rows[0])):
            average = sum(x[j] for x in rows) / n_rows
            total = pseudo_count * average + sum(r[k] * x[j] for r, x in zip(resp, rows, strict=True))
            row.append(min(max(total / count, floor), ceiling))
        means.append(row)
    return means


def column_em(rows, weights, means, log_density, steps, **m_step):
    """`steps` EM steps and the log-likelihoods (without the prior)."""
    history = []
    for step in range(steps + 1):
        scores = [[log_density(x, mean) for mean in means] for x in rows]
        resp, total = e_step(scores, weights)
        history.append(total)
        if step < steps:
            weights = [sum(r[k] for r in resp) / len(rows) for k in range(len(weights))]
            means = column_m_step(rows, resp, **m_step)
    return weights, means, history
