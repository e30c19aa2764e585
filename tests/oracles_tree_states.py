"""Merging the states of a chain, by all paths: K^T of them for every sequence."""

import itertools
import math


def log_or_zero(count, share):
    return count * math.log(share) if count > 0 else 0.0


def path_law(scores, initial, moves):
    """Posterior probability of every path; scores[t][k]."""
    n_states = len(initial)
    law = {}
    for path in itertools.product(range(n_states), repeat=len(scores)):
        value = initial[path[0]] * math.exp(scores[0][path[0]])
        for t in range(1, len(path)):
            value *= moves[path[t - 1]][path[t]] * math.exp(scores[t][path[t]])
        law[path] = value
    total = sum(law.values())
    return {path: value / total for path, value in law.items()}, math.log(total)


class Clustered:
    """Expected counts of clusters of states in one sequence, and the entropy of the Markov law with the same pairs."""

    def __init__(self, law, labels):
        size = max(labels) + 1
        length = len(next(iter(law)))
        self.resp = [[0.0] * size for _ in range(length)]
        pairs = [[[0.0] * size for _ in range(size)] for _ in range(length)]
        for path, probability in law.items():
            for t in range(length):
                self.resp[t][labels[path[t]]] += probability
                if t:
                    pairs[t][labels[path[t - 1]]][labels[path[t]]] += probability
        self.initial = self.resp[0]
        self.moves = [[sum(pairs[t][a][b] for t in range(length)) for b in range(size)] for a in range(size)]
        self.entropy = -sum(log_or_zero(p, p) for p in self.resp[0])
        for t in range(1, length):
            for a in range(size):
                for b in range(size):
                    p = pairs[t][a][b]
                    if p > 0:
                        self.entropy -= p * math.log(p / self.resp[t - 1][a])


def poisson_bound(rows, resp):
    """Of each cluster's own rate."""
    total = 0.0
    for k in range(len(resp[0])):
        count = sum(row[k] for row in resp)
        events = sum(row[k] * x for row, x in zip(resp, rows, strict=True))
        total += log_or_zero(events, events / count) - events
        total -= sum(row[k] * math.lgamma(x + 1) for row, x in zip(resp, rows, strict=True))
    return total


def bound(sequences, laws, weights, labels):
    """Bound, entropy, and the sums of moves, of clusters of states."""
    size = max(labels) + 1
    found = [Clustered(law, labels) for law in laws]
    rows, resp = [], []
    for x, one, weight in zip(sequences, found, weights, strict=True):
        for _ in range(weight):
            rows += x
            resp += one.resp

    def summed(values):
        return sum(w * v for w, v in zip(weights, values, strict=True))

    initial = [summed([one.initial[a] for one in found]) for a in range(size)]
    moves = [[summed([one.moves[a][b] for one in found]) for b in range(size)] for a in range(size)]
    entropy = summed([one.entropy for one in found])
    value = poisson_bound(rows, resp) + entropy
    value += sum(log_or_zero(n, n / sum(initial)) for n in initial)
    value += sum(log_or_zero(n, n / sum(line)) for line in moves for n in line)
    return value, entropy, moves


def tree(sequences, laws, weights, n_states):
    """All merges by the smallest loss: states together, loss, entropy and bound after the merge."""
    labels, merges = list(range(n_states)), []
    now, _, _ = bound(sequences, laws, weights, labels)
    while max(labels):
        tried = {}
        for one in range(max(labels) + 1):
            for other in range(one + 1, max(labels) + 1):
                after = [one if k == other else k - (k > other) for k in labels]
                tried[one, other] = (after, *bound(sequences, laws, weights, after)[:2])
        (one, _), (labels, value, entropy) = max(tried.items(), key=lambda item: item[1][1])
        together = [k for k in range(n_states) if labels[k] == one]
        merges.append((together, now - value, entropy, value))
        now = value
    return merges


def poisson_scores(rows, rates):
    return [[x * math.log(rate) - rate - math.lgamma(x + 1) for rate in rates] for x in rows]
