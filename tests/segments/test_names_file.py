"""names.toml: what is written can be read, what a person does to it is kept or explained."""

import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtura import exceptions
from mixtura.segments.matching import Match
from mixtura.segments.names_file import names_text, read_names, write_names
from mixtura.segments.renaming import carry_names, distinct_names, edited_names, renamed

TEXT = st.text(st.characters(), max_size=30)


def entry(number, name, auto=None):
    return {"number": number, "name": name} | ({} if auto is None else {"auto_name": auto})


def matched(old, n_old=3):
    old = np.array(old)
    return Match(old, np.zeros(len(old)), np.zeros(len(old), dtype=bool), np.setdiff1d(np.arange(n_old), old))


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_any_name_survives_the_file(names):
    text = names_text({"missions": [entry(k + 1, name, name) for k, name in enumerate(names)]})
    content = tomllib.loads(text)["missions"]
    assert set(content) == {str(k + 1) for k in range(len(names))}
    text.encode("utf-8")
    for k, name in enumerate(names):
        written = content[str(k + 1)]
        kept = [c for c in name if c.isprintable() and not c.isspace()]
        assert [c for c in written if c.isprintable() and not c.isspace()] == kept
        assert "\n" not in written


def test_the_file_says_how_to_edit_it(tmp_path):
    missions = [entry(1, 'My "big" \\ shop', "Milk + bread"), entry(2, "Beer\nand crisps")]
    write_names(tmp_path / "names.toml", {"missions": missions, "segments": [entry(4, "Früh", "Früh")]})
    lines = (tmp_path / "names.toml").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# The names in this folder")
    assert any("--overwrite" in line for line in lines)
    assert r'1 = "My \"big\" \\ shop"  # automatic: "Milk + bread"' in lines
    assert '2 = "Beer and crisps"  # automatic: "Beer and crisps"' in lines
    assert lines[-2:] == ["[segments]", '4 = "Früh"  # automatic: "Früh"']
    assert read_names(tmp_path / "names.toml") == {
        "missions": {1: 'My "big" \\ shop', 2: "Beer and crisps"},
        "segments": {4: "Früh"},
    }


def test_nothing_is_edited_until_somebody_edits(tmp_path):
    # Names with line ends, doubled spaces and what does not print come from the data.
    missions = [
        entry(1, "Soft\tdrinks  \n", "Soft\tdrinks  \n"),
        entry(2, "ICE\u00a0CREAM"),
        entry(3, "\ud800"),
    ]
    path = tmp_path / "names.toml"
    write_names(path, {"missions": missions})
    assert edited_names(read_names(path)["missions"], missions) == ({}, [])
    path.write_text(
        path.read_text(encoding="utf-8").replace('1 = "Soft drinks"', '1 = "Party"'), encoding="utf-8"
    )
    assert edited_names(read_names(path)["missions"], missions) == ({1: "Party"}, [])


def test_an_empty_or_deleted_line_gives_the_automatic_name(tmp_path):
    path = tmp_path / "names.toml"
    path.write_text(
        '[missions]\n1 = " "\n2 = "  Night \n"\n'.replace("Night \n", "Night "), encoding="utf-8-sig"
    )
    assert read_names(path) == {"missions": {2: "Night"}, "segments": {}}
    assert read_names(tmp_path / "none.toml") == {"missions": {}, "segments": {}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[missions]\n1 = "a"\n2 = b\n', r"cannot be read: .*line 3.*correct that line"),
        ('[missions]\n1 = "a\n', "line 2"),
        ('[missions]\n1 = "a"\n1 = "b"\n', "line 3"),
        ("[missions]\n\n7 = 12\n", "line 3, missions: 7 has the name 12. Expected text in quotation marks"),
        ("[segments]\n2 = ['x']\n", "line 2, segments: 2 has the name"),
        ('[missions]\none = "a"\n', "line 2, missions: found 'one'. Expected the number"),
        ('[missions]\n0 = "a"\n', "line 2, missions: found '0'"),
        ('[missions]\n1.5 = "a"\n', "line 2, missions: 1 has the name"),
        ('[missions]\n1 = "a"\n\n2 = "a "\n', "line 4, missions: 2 has the name 'a', which 1 has too"),
        ('# x\n[mission]\n1 = "a"\n', r"line 2: found 'mission'. Expected names below \[missions\]"),
        ('1 = "a"\n', "line 1: found '1'. Expected names below"),
        ('segments = "a"\n', r"line 1: found 'a' for segments. Expected a heading \[segments\]"),
        (b"[missions]\n1 = '\xff'\n", "cannot be read .*UTF-8"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, words):
    path = tmp_path / "names.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(exceptions.InvalidDataError, match=words) as error:
        read_names(path)
    assert "names.toml" in str(error.value)


def test_the_same_name_in_missions_and_segments_is_no_problem(tmp_path):
    path = tmp_path / "names.toml"
    path.write_text('[missions]\n1 = "a"\n[segments]\n1 = "a"\n', encoding="utf-8")
    assert read_names(path) == {"missions": {1: "a"}, "segments": {1: "a"}}


def test_unknown_numbers_are_said():
    edited, notes = edited_names({1: "Tea", 9: "x"}, [entry(1, "Tea")], level="segments")
    assert edited == {}
    assert notes == ["names.toml names segment 9 ('x'), but there is no such number here."]


def test_edited_names_follow_their_mission():
    names, auto, notes = carry_names(
        {1: "Feast", 2: "Tea time", 3: "Gone"}, [1, 2, 3], matched([1, -1, 0]), ["Tea", "Wine", "Milk"]
    )
    assert names == ["Tea time", "Wine", "Feast"]
    assert auto == ["Tea", "Wine", "Milk"]
    assert notes == ["The edited name 'Gone' (mission 3) fits no mission any more, so it is not used."]


def test_an_automatic_name_gives_way_to_the_edited_one():
    names, auto = distinct_names(["Beer", None, None, None], ["Milk", "Beer", "Beer", "Beer (2)"])
    assert names == ["Beer", "Beer (2)", "Beer (3)", "Beer (2) (2)"]
    # What is stored as automatic is what is shown, so that it does not look edited later.
    assert auto == ["Milk", *names[1:]]
    components = [entry(k + 1, *pair) for k, pair in enumerate(zip(names, auto, strict=True))]
    assert edited_names(dict(enumerate(names, start=1)), components)[0] == {1: "Beer"}


def test_edited_names_in_every_part_of_the_results():
    missions = {
        "missions": [entry(1, "Tea"), entry(4, "Beer")],
        "tree": {"method": "loss", "groups": [{"n": 2, "labels": [0, 1], "names": ["Tea", "Beer"]}]},
        "refresh": {"gone": [entry(2, "Tea")], "migration": {"from": ["Tea"], "to": ["Tea", "Beer"]}},
    }
    new, changed = renamed(missions, "missions", {4: "Friday", 9: "nobody"})
    assert changed == {"Tea": "Tea", "Beer": "Friday"}
    assert [mission["name"] for mission in new["missions"]] == ["Tea", "Friday"]
    assert new["tree"]["groups"][0]["names"] == ["Tea", "Friday"]
    assert new["refresh"]["migration"] == {"from": ["Tea"], "to": ["Tea", "Friday"]}
    assert missions["missions"][1]["name"] == "Beer"
    card = entry(1, "Drinkers") | {
        "top": [{"feature": "Beer", "lift": 2.0}],
        "nearest": {"number": 2, "more": [{"feature": "Beer", "difference": 0.1}], "less": []},
    }
    segments = {
        "segments": [card],
        "features": ["Tea", "Beer"],
        "flows": {"names": ["Drinkers"], "counts": [[3]]},
    }
    new, _ = renamed(segments, "segments", {1: "Guests"}, mission_names=changed)
    assert new["features"] == ["Tea", "Friday"]
    assert new["segments"][0]["name"] == new["flows"]["names"][0] == "Guests"
    assert new["segments"][0]["top"] == [{"feature": "Friday", "lift": 2.0}]
    assert new["segments"][0]["nearest"]["more"][0]["feature"] == "Friday"
    over_categories, _ = renamed(segments, "segments", {})
    assert over_categories == segments
