r"""Gaussian scores and expected sums of rows that lack cells, pattern by pattern.

The definition is :mod:`mixtura.components.patterns`, whose notation is used here. A pattern of many rows gets the natural
parameters of its marginal densities, with which every row is one short product; its sums over observed cells are completed
once. A pattern of few rows is not worth its marginal: each row's residual is worked on by itself. Half as many rows as
observed cells is where both cost the same. The file is long because loops that compile well are short functions, and both kernels
share them.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["pattern_scores", "pattern_sums"]

_loop = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
_LOG_TWO_PI = np.log(2.0 * np.pi)


@_loop
def _columns(gaps, missing, observed):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Write the numbers of missing and of observed columns; return how many are missing."""
    m = o = 0
    for d in range(len(gaps)):
        if gaps[d]:
            missing[m] = d
            m += 1
        else:
            observed[o] = d
            o += 1
    return m


@_loop
def _factor(precision, missing, m, lower):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Cholesky factor of the missing cells' block; return half its log determinant."""
    half = 0.0
    for i in range(m):
        for j in range(i + 1):
            rest = precision[missing[i], missing[j]]
            for c in range(j):
                rest -= lower[i, c] * lower[j, c]
            lower[i, j] = np.sqrt(rest) if i == j else rest / lower[j, j]
        half += np.log(lower[i, i])
    return half


@_loop
def _whitened_cross(precision, missing, m, observed, o, lower, cross):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """The block of missing by observed cells, divided by the factor: cross (M, O)."""
    for i in range(m):
        for j in range(o):
            cross[i, j] = precision[missing[i], observed[j]]
        for c in range(i):
            factor = lower[i, c]
            for j in range(o):
                cross[i, j] -= factor * cross[c, j]
        scale = 1.0 / lower[i, i]
        for j in range(o):
            cross[i, j] *= scale


@_loop
def _features(x, observed, o, features):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """T of a row's observed cells: 1, the cells, their products by rows of the upper triangle."""
    features[0] = 1.0
    for i in range(o):
        features[1 + i] = x[observed[i]]
    place = 1 + o
    for i in range(o):
        for j in range(i, o):
            features[place + j - i] = features[1 + i] * features[1 + j]
        place += o - i


@_loop
def pattern_scores(x, gaps, offsets, half_log_det, precision, mean, own, peaks, scores):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Write log densities of rows' observed cells, and the largest that each pattern could have.

    x (R, D), gaps (G, D), offsets (G + 1,), half_log_det (K,) of the precisions, precision (K or 1, D, D), mean (K, D), own: whether
    every row is taken about the components' means, peaks (K, G), scores (K, R).
    """
    n_components, d = mean.shape
    missing, observed = np.empty(d, np.int64), np.empty(d, np.int64)
    lower, cross, schur = np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    natural = np.empty((n_components, 1 + d * (d + 3) // 2))
    features, residual = np.empty(natural.shape[1]), np.empty(d)
    half, shared = 0.0, len(precision) == 1
    for g in range(len(gaps)):
        begin, end = offsets[g], offsets[g + 1]
        m = _columns(gaps[g], missing, observed)
        o = d - m
        if o == 0:
            peaks[:, g] = 0.0
            scores[:, begin:end] = 0.0
            continue
        many = not own and 2 * (end - begin) > o
        for k in range(n_components):
            matrix = precision[0 if shared else k]
            if k == 0 or not shared:
                half = _factor(matrix, missing, m, lower)
                _whitened_cross(matrix, missing, m, observed, o, lower, cross)
                if many:
                    _schur(matrix, observed, o, cross, m, schur)
            peaks[k, g] = half_log_det[k] - half - 0.5 * o * _LOG_TWO_PI
            if many:
                _marginal(schur, mean[k], observed, o, peaks[k, g], natural[k])
                continue
            for row in range(begin, end):
                for j in range(o):
                    residual[j] = x[row, observed[j]] - mean[k, observed[j]]
                quadratic = _quadratic(matrix, observed, o, cross, m, residual)
                scores[k, row] = peaks[k, g] - 0.5 * quadratic
        if many:
            _products(x, observed, o, begin, end, natural, features, scores)


@_loop
def _products(x, observed, o, begin, end, natural, features, scores):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Scores of a pattern's rows, one product each."""
    size = 1 + o * (o + 3) // 2
    for row in range(begin, end):
        _features(x[row], observed, o, features)
        for k in range(len(natural)):
            score = 0.0
            for p in range(size):
                score += natural[k, p] * features[p]
            scores[k, row] = score


@_loop
def _quadratic(precision, observed, o, cross, m, residual):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Squared distance of one row's observed cells from the mean, in its own spread."""
    quadratic = 0.0
    for c in range(m):
        rest = 0.0
        for j in range(o):
            rest += cross[c, j] * residual[j]
        quadratic -= rest * rest
    for i in range(o):
        rest = 0.5 * precision[observed[i], observed[i]] * residual[i]
        for j in range(i + 1, o):
            rest += precision[observed[i], observed[j]] * residual[j]
        quadratic += 2.0 * rest * residual[i]
    return quadratic


@_loop
def _schur(precision, observed, o, cross, m, schur):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Precision of the observed cells alone, (O, O)."""
    for i in range(o):
        for j in range(i, o):
            rest = precision[observed[i], observed[j]]
            for c in range(m):
                rest -= cross[c, i] * cross[c, j]
            schur[i, j] = rest
            schur[j, i] = rest


@_loop
def _marginal(schur, mean, observed, o, peak, natural):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Natural parameters of a marginal density from its precision."""
    constant, place = peak, 1 + o
    for i in range(o):
        linear = 0.0
        for j in range(o):
            linear += schur[i, j] * mean[observed[j]]
        natural[1 + i] = linear
        constant -= 0.5 * linear * mean[observed[i]]
        natural[place] = -0.5 * schur[i, i]
        for j in range(i + 1, o):
            natural[place + j - i] = -schur[i, j]
        place += o - i
    natural[0] = constant


@_loop
def pattern_sums(x, gaps, offsets, precision, mean, own, weight, resp, total):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - compiled
    """Add expected sums over all cells of rows: weight (K, R) for moments, resp (K, R) for conditional covariances.

    The other arguments are those of `pattern_scores`; total (K, 1 + D (D + 3) / 2) in the order of T(x), about the origin or each
    component's own mean.
    """
    n_components, d = mean.shape
    missing, observed = np.empty(d, np.int64), np.empty(d, np.int64)
    lower, inverse, slope, covariance = np.empty((d, d)), np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    dense, place = np.empty((d, d)), _places(d)
    sums = np.empty((n_components, total.shape[1]))
    features, filled, shift = np.empty(total.shape[1]), np.empty(d), np.empty(d)
    shared = len(precision) == 1
    for g in range(len(gaps)):
        begin, end = offsets[g], offsets[g + 1]
        m = _columns(gaps[g], missing, observed)
        o = d - m
        many = not own and 2 * (end - begin) > o
        if many:
            _add_features(x, observed, o, begin, end, weight, features, sums)
        for k in range(n_components):
            if k == 0 or not shared:
                _law(
                    precision[0 if shared else k], missing, m, observed, o, lower, inverse, slope, covariance
                )
            _intercept(mean[k], missing, m, observed, o, slope, own, shift)
            held = 0.0
            for row in range(begin, end):
                held += resp[k, row]
            for i in range(m):
                for j in range(i, m):
                    total[k, place[missing[i], missing[j]]] += held * covariance[i, j]
            if many:
                _complete(sums[k], missing, m, observed, o, slope, shift, place, dense, filled, total[k])
                continue
            for row in range(begin, end):
                for j in range(o):
                    filled[observed[j]] = x[row, observed[j]] - (mean[k, observed[j]] if own else 0.0)
                _add_row(filled, missing, m, observed, o, slope, shift, weight[k, row], total[k])


@_loop
def _places(d):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Where the product of two columns stands in T(x)."""
    place = np.empty((d, d), np.int64)
    count = 1 + d
    for i in range(d):
        for j in range(i, d):
            place[i, j] = count
            place[j, i] = count
            count += 1
    return place


@_loop
def _add_features(x, observed, o, begin, end, weight, features, sums):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Sums over a pattern's observed cells."""
    size = 1 + o * (o + 3) // 2
    sums[:, :size] = 0.0
    for row in range(begin, end):
        _features(x[row], observed, o, features)
        for k in range(len(sums)):
            by = weight[k, row]
            for p in range(size):
                sums[k, p] += by * features[p]


@_loop
def _intercept(mean, missing, m, observed, o, slope, own, shift):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Conditional means where the observed cells are zero; zero about the mean itself."""
    for i in range(m):
        shift[i] = 0.0
        if not own:
            shift[i] = mean[missing[i]]
            for j in range(o):
                shift[i] += slope[i, j] * mean[observed[j]]


@_loop
def _add_row(filled, missing, m, observed, o, slope, shift, by, total):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Add T of one row, its missing cells at their conditional means."""
    d = m + o
    for i in range(m):
        value = shift[i]
        for j in range(o):
            value -= slope[i, j] * filled[observed[j]]
        filled[missing[i]] = value
    total[0] += by
    spot = 1 + d
    for i in range(d):
        value = by * filled[i]
        total[1 + i] += value
        for j in range(i, d):
            total[spot + j - i] += value * filled[j]
        spot += d - i


@_loop
def _law(precision, missing, m, observed, o, lower, inverse, slope, covariance):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Covariance (M, M) and slope R (M, O) of missing cells given observed ones."""
    _factor(precision, missing, m, lower)
    for i in range(m):
        for j in range(i, m):
            rest = 1.0 if i == j else 0.0
            for c in range(i, j):
                rest -= lower[j, c] * inverse[c, i]
            inverse[j, i] = rest / lower[j, j]
    for i in range(m):
        for j in range(i, m):
            rest = 0.0
            for c in range(j, m):
                rest += inverse[c, i] * inverse[c, j]
            covariance[i, j] = rest
            covariance[j, i] = rest
    for i in range(m):
        for j in range(o):
            slope[i, j] = 0.0
        for c in range(m):
            factor = covariance[i, c]
            for j in range(o):
                slope[i, j] += factor * precision[missing[c], observed[j]]


@_loop
def _complete(sums, missing, m, observed, o, slope, shift, place, dense, mixed, total):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Add sums over a pattern's observed cells, completed, to those over all cells."""
    spot = 1 + o
    total[0] += sums[0]
    for i in range(o):
        total[1 + observed[i]] += sums[1 + i]
        for j in range(i, o):
            dense[i, j] = dense[j, i] = sums[spot + j - i]
            total[place[observed[i], observed[j]]] += sums[spot + j - i]
        spot += o - i
    for i in range(m):
        mean = sums[0] * shift[i]
        for j in range(o):
            mixed[j] = shift[i] * sums[1 + j]
        for c in range(o):
            factor = slope[i, c]
            mean -= factor * sums[1 + c]
            for j in range(o):
                mixed[j] -= factor * dense[c, j]
        total[1 + missing[i]] += mean
        for j in range(o):
            total[place[missing[i], observed[j]]] += mixed[j]
        for j in range(i, m):
            within = mean * shift[j]
            for c in range(o):
                within -= mixed[c] * slope[j, c]
            total[place[missing[i], missing[j]]] += within
