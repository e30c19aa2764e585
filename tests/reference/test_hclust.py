"""R's hclust on three data sets: heights, cuts and cophenetic correlations."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet

from mixtura.selection.hierarchy import hierarchical

COLUMNS = {
    "iris": slice(0, 4),
    "faithful": slice(0, 2),
    "usarrests": slice(1, 5),
}
KINDS = ["single", "complete", "average", "mcquitty", "ward.D2", "centroid", "median"]
# Distances of the data are often equal (a tenth of a centimetre), and then the order of joining is a matter of chance: heights do
# not depend on it for these.
WITHOUT_CHANCE = {"usarrests": KINDS, "iris": ["single", "complete"], "faithful": ["single"]}


@pytest.mark.parametrize("linkage", KINDS)
@pytest.mark.parametrize("name", COLUMNS)
def test_heights_cuts_and_cophenetic_correlation(name, linkage, table, results):
    X = table(name, COLUMNS[name])
    expected = results("hclust")[name][linkage]
    hierarchy = hierarchical(X, linkage=linkage)
    power = 2 if expected["squared_input"] else 1  # R was given squared distances
    if linkage in WITHOUT_CHANCE[name]:
        # R prints fifteen digits; distances of nearly equal rows have lost some.
        np.testing.assert_allclose(
            np.sort(hierarchy.heights**power), np.sort(expected["heights"]), rtol=1e-9, atol=1e-9
        )
        assert hierarchy.cut(3).sizes.tolist() == sorted(expected["cut_sizes_k3"], reverse=True)
    if power == 1 and linkage in WITHOUT_CHANCE[name]:
        assert hierarchy.cophenetic_correlation == pytest.approx(expected["cophenetic_corr"], abs=1e-9)
    elif linkage in WITHOUT_CHANCE[name]:
        distances = hierarchy._distances.condensed(hierarchy.rows)
        found = np.corrcoef(cophenet(hierarchy.merges) ** 2, distances)[0, 1]  # as it was computed there
        assert found == pytest.approx(expected["cophenetic_corr"], abs=1e-9)
    assert hierarchy.heights.max() ** power == pytest.approx(expected["max"], rel=0.05)
