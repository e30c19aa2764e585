"""Does knowing the household help? Its later baskets, predicted by three mixtures with the same number of missions.

Global weights; household weights without shrinkage (concentration 0); household weights shrunk to the population as
far as the data ask for it. The split is 80/20 in time; later baskets of households unseen in training are left out.
"""

from __future__ import annotations

import numpy as np
from _baskets import load_baskets
from _harness import options, pinned, progress, record, say, show, timed

from mixtura import GroupedMultinomialMixture, MultinomialMixture
from mixtura.segments.evaluation import clustered_mean, household_shares, profile_distances

PUBLISHED_SHARE = 0.616  # of households whose later baskets the individual model predicted better


def main() -> None:
    """Measure, print, record."""
    chosen = options(
        __doc__ or "",
        ("--components", {"type": int, "default": 30}),
        ("--seed", {"type": int, "default": 0}),
    )
    k = 8 if chosen.quick else chosen.components
    train, later = load_baskets(quick=chosen.quick).split()
    with pinned(1):
        costs = {}
        costs["global"], population = timed(
            lambda: MultinomialMixture(k, random_state=chosen.seed).fit(train.counts)
        )
        progress(f"global: {costs['global'].wall:.1f} s")
        models = {}
        for name, concentration in (("household, no shrinkage", 0.0), ("household, s learnt", "learn")):
            model = GroupedMultinomialMixture(
                k, concentration=concentration, init_params=population, random_state=chosen.seed
            )
            costs[name], models[name] = timed(
                lambda model=model: model.fit(train.counts, groups=train.households)
            )
            progress(
                f"{name}: {costs[name].wall:.1f} s, {models[name].n_iter_} steps, {models[name].stop_reason_}"
            )
    scores = {"global": population.score_samples(later.counts)}
    scores |= {
        name: model.score_samples(later.counts, groups=later.households) for name, model in models.items()
    }
    households, bought = household_shares(later.counts, later.households)
    everybody = np.broadcast_to(population.weights_ @ population.profiles_, bought.shape)
    far = profile_distances(everybody, bought)
    rows, results = [], {}
    for name, score in scores.items():
        entry = {"held_out": float(score.mean()), "fit_s": costs[name].wall}
        if name in models:
            model = models[name]
            gain, error = clustered_mean(score - scores["global"], later.households)
            predicted = model.group_weights_[np.searchsorted(model.groups_, households)] @ model.profiles_
            better = float(np.mean(profile_distances(predicted, bought) < far))
            entry |= {"gain": gain, "gain_se": error, "better_l1": better, "s": float(model.concentration_)}
        results[name] = entry
        rows.append(
            [
                name,
                f"{entry['held_out']:.4f}",
                f"{entry['gain']:+.4f} ± {entry['gain_se']:.4f}" if "gain" in entry else "",
                f"{entry['better_l1']:.1%}" if "better_l1" in entry else "",
                f"{entry['s']:.2f}" if "s" in entry else "",
                f"{entry['fit_s']:.1f}",
            ]
        )
    show(
        f"{len(later.households):,} later baskets of {len(households):,} households, K = {k}",
        ["weights", "log-likelihood per basket", "gain over global", "better in L1", "s", "fit (s)"],
        rows,
        "standard errors are paired, with all baskets of a household as one observation; better in L1: share of households",
    )
    learnt, plain = scores["household, s learnt"], scores["household, no shrinkage"]
    over, over_error = clustered_mean(learnt - plain, later.households)
    basket_error = float((learnt - scores["global"]).std(ddof=1) / np.sqrt(len(learnt)))
    say(f"Learnt s over no shrinkage: {over:+.4f} ± {over_error:.4f} per basket.")
    say(f"Standard error of the gain if baskets were independent: {basket_error:.4f}.")
    say(f"Share of households better predicted in L1, as published: {PUBLISHED_SHARE:.1%}.")
    results |= {"learnt_over_plain": over, "learnt_over_plain_se": over_error, "k": k, "real": train.real}
    record("household_prediction", results, quick=chosen.quick)


if __name__ == "__main__":
    main()
