"""Agglomeration with loops, from the definitions of the distances between groups: nothing is updated, all is computed again."""

import math


def euclidean(a, b):
    return math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)))


def mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


class Group:
    """Rows together, with what the recursive linkages remember of how they came together."""

    def __init__(self, members, rows, halves=None):
        self.members, self.halves = members, halves
        self.rows = [rows[n] for n in members]
        self.middle = self.rows[0] if halves is None else mean([half.middle for half in halves])


def pairs(one, other, distance):
    return [distance(a, b) for a in one.rows for b in other.rows]


def weighted(one, other, distance):
    """The mean of the distances of the two halves, all the way down."""
    if one.halves is not None and (other.halves is None or one.age > other.age):
        return sum(weighted(half, other, distance) for half in one.halves) / 2
    if other.halves is not None:
        return sum(weighted(one, half, distance) for half in other.halves) / 2
    return distance(one.rows[0], other.rows[0])


def ward(one, other, distance):
    n, m = len(one.rows), len(other.rows)
    return math.sqrt(2 * n * m / (n + m)) * euclidean(mean(one.rows), mean(other.rows))


LINKAGES = {
    "single": lambda a, b, d: min(pairs(a, b, d)),
    "complete": lambda a, b, d: max(pairs(a, b, d)),
    "average": lambda a, b, d: sum(pairs(a, b, d)) / (len(a.rows) * len(b.rows)),
    "weighted": weighted,
    "centroid": lambda a, b, _: euclidean(mean(a.rows), mean(b.rows)),
    "median": lambda a, b, _: euclidean(a.middle, b.middle),
    "ward": ward,
}


def agglomerate(rows, linkage, distance=euclidean):
    """All merges: rows of the two together (a sorted list) and their distance."""
    rows = [list(row) for row in rows]
    groups, merges = [Group([n], rows) for n in range(len(rows))], []
    for group in groups:
        group.age = 0
    while len(groups) > 1:
        least, at = math.inf, None
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                height = LINKAGES[linkage](groups[i], groups[j], distance)
                if height < least:
                    least, at = height, (i, j)
        one, other = groups[at[0]], groups[at[1]]
        joined = Group(sorted(one.members + other.members), rows, (one, other))
        joined.age = len(merges) + 1
        groups = [group for group in groups if group is not one and group is not other] + [joined]
        merges.append((joined.members, least))
    return merges


def cophenetic_correlation(rows, merges, distance=euclidean):
    """Of the distances of pairs with the height at which they come together first."""
    near, high = [], []
    for i in range(len(rows)):
        for j in range(i + 1, len(rows)):
            near.append(distance(rows[i], rows[j]))
            high.append(next(height for members, height in merges if i in members and j in members))
    a, b = sum(near) / len(near), sum(high) / len(high)
    cross = sum((p - a) * (q - b) for p, q in zip(near, high, strict=True))
    return cross / math.sqrt(sum((p - a) ** 2 for p in near) * sum((q - b) ** 2 for q in high))


def cut(n_rows, merges, n_clusters):
    """Sets of rows after the first merges."""
    groups = [{n} for n in range(n_rows)]
    for members, _ in merges[: n_rows - n_clusters]:
        groups = [group for group in groups if not group <= set(members)] + [set(members)]
    return sorted(sorted(group) for group in groups)
