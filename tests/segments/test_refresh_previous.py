"""Earlier results: opened, refused where they do not fit, and gone on from."""

import json

import numpy as np
import pytest

from mixtura import MultinomialMixture, exceptions
from mixtura.segments.previous import Previous, open_earlier, open_previous, previous_labels
from mixtura.segments.refresh import check_compatible, choose_size, previous_start, sizes_to_try

CATEGORIES = ["beer", "bread", "milk", "tea"]
PROFILES = [[0.05, 0.45, 0.45, 0.05], [0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]]


def mission_file(schema="mixtura-missions/2", **changes):
    missions = [
        {"number": number, "name": name, "auto_name": name, "weight": weight, "profile": profile}
        for number, name, weight, profile in zip(
            (1, 2, 5), ("Milk", "Beer", "Tea"), (0.5, 0.3, 0.2), PROFILES, strict=True
        )
    ]
    return {
        "schema": schema,
        "created": "2024-01-01T00:00:00+00:00",
        "command": {"value": "lines"},
        "columns": {"category": {"name": "commodity", "table": "items", "guessed": True}},
        "data": {"value": "lines", "filter": None, "items_source": "items.csv"},
        "categories": CATEGORIES,
        "category_share": [0.25, 0.25, 0.25, 0.25],
        "choice": {"criterion": "bic"},
        "missions": missions,
    } | changes


def segment_file(**changes):
    segments = [
        {"number": s + 1, "name": f"Segment {s}", "weight": 0.5, "profile": profile}
        for s, profile in enumerate([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    ]
    return (
        mission_file("mixtura-segments/1")
        | {
            "over": "missions",
            "features": ["Milk", "Beer", "Tea"],
            "segments": segments,
        }
        | changes
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "missions.json").write_text(json.dumps(mission_file()))
    (tmp_path / "segments.json").write_text(json.dumps(segment_file()))
    (tmp_path / "names.toml").write_text('[missions]\n2 = "Friday"\n9 = "x"\n[segments]\n1 = "Families"\n')
    return tmp_path


def test_the_folder_is_opened_with_its_names(folder):
    (folder / "model.mixtura").write_bytes(b"not looked at")
    for path in (folder, str(folder), folder / "model.mixtura"):
        previous = open_previous(path)
        assert [entry["name"] for entry in previous.components("missions")] == ["Milk", "Friday", "Tea"]
        assert [entry["auto_name"] for entry in previous.components("missions")] == ["Milk", "Beer", "Tea"]
        assert [entry["name"] for entry in previous.components("segments")] == ["Families", "Segment 1"]
    assert previous.notes == ["names.toml names mission 9 ('x'), but there is no such number here."]
    assert previous.features("missions") == CATEGORIES
    assert previous.features("segments") == [1, 2, 5]
    np.testing.assert_array_equal(previous.profiles("missions"), PROFILES)


def test_a_name_that_was_taken_back_is_automatic_again(folder):
    content = mission_file()
    content["missions"][1]["name"] = "Friday"  # edited before the last run, and deleted from the file since
    (folder / "missions.json").write_text(json.dumps(content))
    (folder / "names.toml").write_text('[missions]\n1 = "Beer"\n')
    assert [entry["name"] for entry in open_previous(folder).components("missions")] == [
        "Beer",
        "Beer (2)",
        "Tea",
    ]


def test_the_first_schema_and_single_files(tmp_path):
    old = mission_file("mixtura-missions/1")
    for mission in old["missions"]:
        del mission["auto_name"]
    (tmp_path / "missions.json").write_text(json.dumps(old))
    previous = open_previous(tmp_path)
    assert [entry["auto_name"] for entry in previous.components("missions")] == ["Milk", "Beer", "Tea"]
    assert (previous.has("missions"), previous.has("segments")) == (True, False)
    with pytest.raises(exceptions.InvalidDataError, match=r"has no segments\.json"):
        previous.profiles("segments")
    alone = Previous(tmp_path, None, segment_file(), {"missions": {}, "segments": {}})
    assert alone.features("segments") == ["Milk", "Beer", "Tea"]
    assert alone.header["categories"] == CATEGORIES


def test_numbers_are_never_given_again():
    gone = {"refresh": {"gone": [{"number": 8, "name": "Wine", "weight": 0.1}]}}
    later = {"refresh": {"last_number": 11, "gone": []}}
    for changes, last in (({}, 5), (gone, 8), (later, 11), ({"refresh": None}, 5)):
        assert Previous(None, mission_file(**changes), None, {}).last_number("missions") == last


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"no missions\.json and no segments\.json"),
        ("{", "cannot be read"),
        ("[]", "has the schema None"),
        (
            json.dumps({"schema": "mixtura-missions/3"}),
            "'mixtura-missions/3'. Expected mixtura-missions/1 or",
        ),
        (json.dumps({"schema": "mixtura-segments/1"}), "has the schema 'mixtura-segments/1'"),
        (json.dumps({"schema": "mixtura-missions/2"}), "is not whole"),
        (json.dumps(mission_file(categories=["a"])), "is not whole"),
        (json.dumps(mission_file(missions=[])), "is not whole"),
        (json.dumps(mission_file(missions=[{"number": 1}])), "is not whole"),
    ],
)
def test_folders_without_results(tmp_path, content, words):
    if content is not None:
        (tmp_path / "missions.json").write_text(content)
    with pytest.raises(exceptions.InvalidDataError, match=words):
        open_previous(tmp_path)
    assert open_earlier(tmp_path) is None
    (tmp_path / "names.toml").write_text('[missions]\n1 = "Mine"\n')
    with pytest.raises(exceptions.InvalidDataError, match=r"names.toml' would be lost"):
        open_earlier(tmp_path)


def test_results_to_be_replaced_keep_their_names(folder):
    assert open_earlier(folder).names == {"missions": {2: "Friday"}, "segments": {1: "Families"}}


def compatible(folder, **changes):
    now = {"value": "lines", "items_source": "items.csv", "category_column": "commodity", "over": "missions"}
    return check_compatible(open_previous(folder), **{"categories": CATEGORIES, **now, **changes})


def test_the_same_shop_has_nothing_to_note(folder):
    assert compatible(folder, levels=["missions", "segments"]) == []


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"where": "age > 3"}, "The filter is not that of the previous run: age > 3 (before: none)."),
        ({"items_source": None}, "The item table is not that of the previous run: none (before: items.csv)."),
        (
            {"category_column": "aisle"},
            "The category column is not that of the previous run: aisle (before: c",
        ),
        (
            {"categories": ["beer", "bread", "coffee", "milk", "mate"]},
            "2 of the 5 categories are new since the previous run, and 1 of its 4 are gone (25.0% of its lines).",
        ),
    ],
)
def test_differences_are_said(folder, changes, note):
    (said,) = compatible(folder, **changes)
    assert said.startswith(note)


def test_a_level_that_was_not_there_is_said(folder):
    (folder / "segments.json").unlink()
    (said,) = compatible(folder, levels=["missions", "segments"])
    assert said == "The previous results have no segments, so the segments are found and numbered anew."


def test_what_cannot_be_compared_is_refused(folder):
    with pytest.raises(
        exceptions.InvalidParameterError, match=r"value: found 'amount', but .* 'lines'\. Expected the s"
    ):
        compatible(folder, value="amount")
    with pytest.raises(exceptions.InvalidParameterError, match="segments over: found 'categories'"):
        compatible(folder, over="categories")
    with pytest.raises(exceptions.InvalidDataError, match=r"only 1 of the 4 categories .* 25% of its lines"):
        compatible(folder, categories=["milk", "7712", "7713"])


def test_the_start_drops_what_is_gone_and_smooths_what_is_new(folder):
    weights, profiles = previous_start(open_previous(folder), ["beer", "coffee", "milk", "tea"])
    np.testing.assert_allclose(weights, [0.5, 0.3, 0.2])
    np.testing.assert_allclose(profiles.sum(axis=1), 1.0)
    # The new category is equally likely everywhere: it decides nothing in the first step.
    assert np.ptp(profiles[:, 1]) == pytest.approx(0.0, abs=1e-15)
    assert 0 < profiles[0, 1] < 0.01
    kept = np.array(PROFILES)[:, [0, 2, 3]]
    np.testing.assert_allclose(profiles[:, [0, 2, 3]], kept / kept.sum(axis=1, keepdims=True), atol=0.01)
    segments = previous_start(open_previous(folder), [1, 5, 6], "segments")[1]
    np.testing.assert_allclose(segments, [[0.8 / 0.9, 0.1 / 0.9, 0], [0.1 / 0.9, 0.8 / 0.9, 0]], atol=0.01)


def test_a_component_that_lost_all_its_features_starts_even(folder):
    previous = open_previous(folder)
    previous.missions["missions"][1]["profile"] = [1.0, 0.0, 0.0, 0.0]
    previous.missions["missions"][1]["weight"] = 0.0
    weights, profiles = previous_start(previous, ["bread", "milk"])
    np.testing.assert_allclose(profiles[1], [0.5, 0.5])
    assert weights.min() > 0
    np.testing.assert_allclose(weights.sum(), 1.0)


def test_a_fit_goes_on_where_the_earlier_one_ended(folder, rng):
    mission = rng.choice(3, p=[0.5, 0.3, 0.2], size=600)
    counts = np.stack([rng.multinomial(12, PROFILES[k]) for k in mission])
    coffee = rng.poisson(3, size=(600, 1)) * (mission[:, None] == 2)  # new, and of the third mission
    weights, profiles = previous_start(open_previous(folder), [*CATEGORIES, "coffee"])
    found = MultinomialMixture(3, weights_init=weights, profiles_init=profiles).fit(
        np.hstack([counts, coffee])
    )
    np.testing.assert_allclose(found.weights_, [0.5, 0.3, 0.2], atol=0.06)
    assert found.profiles_[:, 4].argmax() == 2
    assert found.profiles_[2, 4] == pytest.approx(3 / 15, abs=0.03)


@pytest.mark.parametrize(
    ("size", "n_rows", "level", "numbers"),
    [
        (30, 10_000, "missions", [27, 30, 33]),
        (4, 10_000, "missions", [3, 4, 5]),
        (2, 10_000, "missions", [2, 3]),
        (2, 100, "segments", [1, 2, 3]),
        (5, 5, "missions", [4, 5]),
    ],
)
def test_sizes_around_the_earlier_one(size, n_rows, level, numbers):
    content = {level: [{}] * size, "choice": {"criterion": "bic"}}
    previous = Previous(None, *((content, None) if level == "missions" else (None, content)), {})
    assert sizes_to_try(previous, level, n_rows) == numbers
    content["choice"]["criterion"] = "given"
    assert sizes_to_try(previous, level, n_rows) == [size]


def test_the_number_changes_only_for_a_clear_gain():
    def choose(*bics, **options):
        rows = [{"n_components": size, "bic": bic} for size, bic in zip((3, 4, 5), bics, strict=False)]
        return choose_size(rows, 4, "bic", **options)

    assert choose(900, 891, 885) == (1, "4 missions, as before; BIC gains less than 10 with 3 or 5")
    assert choose(900, 891, 880.5) == (2, "5 missions (4 before): BIC is lower by 10")
    assert choose(-1500, 891, 885, level="segments") == (0, "3 segments (4 before): BIC is lower by 2,391")
    assert choose_size([{"n_components": 4, "aic": 1.0}], 4, "aic") == (0, "4 missions, as before")
    with pytest.raises(
        exceptions.InvalidDataError, match=r"previous number of missions, 4, was not tried .*3"
    ):
        choose(900)


def test_labels_of_customers(folder):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    previous = open_previous(folder)
    assert previous_labels(previous, "missions") is None
    table = {"customer": ["Ann", "Bob", "Cid"], "dominant_mission": [1, 5, None], "n_baskets": [3, 4, 5]}
    parquet.write_table(pyarrow.table(table), folder / "customers.parquet")
    customers, numbers = previous_labels(previous, "missions")
    assert (customers.tolist(), numbers.tolist()) == (["Ann", "Bob"], [1, 5])
    assert previous_labels(previous, "segments") is None
    (folder / "customers.parquet").write_bytes(b"no table")
    with pytest.raises(exceptions.InvalidDataError, match=r"customers.parquet' cannot be read"):
        previous_labels(previous, "missions")
