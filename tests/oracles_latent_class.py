"""Latent class analysis in loops only: what the fast paths and the tables are held against. Missing cells are None."""

import math


def log_joint(row, weights, tables):
    """log of weight times the probability of the answered cells, class by class."""
    values = []
    for k, weight in enumerate(weights):
        value = math.log(weight)
        for j, level in enumerate(row):
            if level is not None:
                value += math.log(tables[j][k][level])
        values.append(value)
    return values


def posterior(row, weights, tables):
    """Posterior probabilities of the classes, and the log-likelihood of the row."""
    values = log_joint(row, weights, tables)
    largest = max(values)
    total = sum(math.exp(value - largest) for value in values)
    return [math.exp(value - largest) / total for value in values], largest + math.log(total)


def em_step(rows, row_weights, weights, tables):
    """One EM step: new class sizes, new tables, log-likelihood of the old ones."""
    sizes = [0.0] * len(weights)
    sums = [[[0.0] * len(shares) for shares in table] for table in tables]
    log_likelihood = 0.0
    for row, row_weight in zip(rows, row_weights, strict=True):
        resp, evidence = posterior(row, weights, tables)
        log_likelihood += row_weight * evidence
        for k, share in enumerate(resp):
            sizes[k] += row_weight * share
            for j, level in enumerate(row):
                if level is not None:
                    sums[j][k][level] += row_weight * share
    total = sum(sizes)
    new_tables = [[[value / sum(shares) for value in shares] for shares in table] for table in sums]
    return [size / total for size in sizes], new_tables, log_likelihood


def relative_entropy(rows, row_weights, weights, tables):
    """1 - mean entropy / log K."""
    entropy = 0.0
    for row, row_weight in zip(rows, row_weights, strict=True):
        for share in posterior(row, weights, tables)[0]:
            if share > 0:
                entropy -= row_weight * share * math.log(share)
    return 1.0 - entropy / (sum(row_weights) * math.log(len(weights)))


def pair_residual(rows, row_weights, weights, tables, i, j):
    """Pearson's X2 of two items over (L_i - 1)(L_j - 1), and the weight of the rows with both."""
    n_i, n_j = len(tables[i][0]), len(tables[j][0])
    observed = [[0.0] * n_j for _ in range(n_i)]
    expected = [[0.0] * n_j for _ in range(n_i)]
    for row, row_weight in zip(rows, row_weights, strict=True):
        if row[i] is None or row[j] is None:
            continue
        observed[row[i]][row[j]] += row_weight
        for k, share in enumerate(posterior(row, weights, tables)[0]):
            for a in range(n_i):
                for b in range(n_j):
                    expected[a][b] += row_weight * share * tables[i][k][a] * tables[j][k][b]
    x2 = 0.0
    for a in range(n_i):
        for b in range(n_j):
            x2 += (observed[a][b] - expected[a][b]) ** 2 / expected[a][b]
    return x2 / ((n_i - 1) * (n_j - 1)), sum(sum(row) for row in observed)


def fit_of_table(rows, row_weights, weights, tables):
    """G2, X2 over the whole table of patterns (every cell is visited), number of patterns with rows, weight of complete rows."""
    counts = {}
    for row, row_weight in zip(rows, row_weights, strict=True):
        if None not in row and row_weight > 0:
            counts[tuple(row)] = counts.get(tuple(row), 0.0) + row_weight
    complete = sum(counts.values())
    g2 = x2 = 0.0
    for cell in _cells([len(table[0]) for table in tables]):
        expected = complete * math.exp(posterior(cell, weights, tables)[1])
        observed = counts.get(cell, 0.0)
        x2 += (observed - expected) ** 2 / expected
        if observed:
            g2 += 2.0 * observed * math.log(observed / expected)
    return g2, x2, len(counts), complete


def _cells(sizes):
    """All patterns."""
    if not sizes:
        return [()]
    return [(level, *rest) for level in range(sizes[0]) for rest in _cells(sizes[1:])]
