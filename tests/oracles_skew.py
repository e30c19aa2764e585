"""Oracle for skew-normal components: the half-normal variable integrated by quadrature, sums and regression by loops."""

from math import exp, log, pi

from scipy.integrate import quad

from naive import gaussian_log_density


def half_normal_moments(x, location, skewness, scale):
    """Log density of a row, and mean and mean square of its half-normal variable, by integrals over that variable."""
    size = len(x)

    def log_joint(t):
        moved = [location[d] + skewness[d] * t for d in range(size)]
        return 0.5 * log(2.0 / pi) - 0.5 * t * t + gaussian_log_density(x, moved, scale)

    # The law of t given x is a cut normal one: its peak is found on a grid fine enough for these tests.
    grid = [0.02 * step for step in range(1000)]
    top = max(log_joint(t) for t in grid)
    peak = max(grid, key=log_joint)
    points = [max(peak - 1.0, 0.0), peak, peak + 1.0]
    parts = [
        quad(
            lambda t, p=p: t**p * exp(log_joint(t) - top), 0.0, 25.0, points=points, epsabs=1e-13, limit=400
        )[0]
        for p in range(3)
    ]
    return top + log(parts[0]), parts[1] / parts[0], parts[2] / parts[0]


def em_step(rows, resp, location, skewness, scale):
    """One step for one component with full scale matrix: the regression on t, in the model where t has a variance."""
    size = len(location)
    moments = [half_normal_moments(x, location, skewness, scale)[1:] for x in rows]
    count = sum(resp)
    first = sum(r * m[0] for r, m in zip(resp, moments, strict=True))
    second = sum(r * m[1] for r, m in zip(resp, moments, strict=True))
    mean = [sum(r * x[d] for r, x in zip(resp, rows, strict=True)) / count for d in range(size)]
    cross = [
        sum(r * m[0] * (x[d] - mean[d]) for r, m, x in zip(resp, moments, rows, strict=True))
        for d in range(size)
    ]
    slope = [value / (second - first**2 / count) for value in cross]
    start = [mean[d] - slope[d] * first / count for d in range(size)]
    left = [[0.0] * size for _ in range(size)]
    for r, (one, two), x in zip(resp, moments, rows, strict=True):
        gap = [x[d] - start[d] for d in range(size)]
        for i in range(size):
            for j in range(size):
                left[i][j] += r * (
                    gap[i] * gap[j]
                    - one * (slope[i] * gap[j] + gap[i] * slope[j])
                    + two * slope[i] * slope[j]
                )
    root = (second / count) ** 0.5
    return start, [root * value for value in slope], [[value / count for value in row] for row in left]
