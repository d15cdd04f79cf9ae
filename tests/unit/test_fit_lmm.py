"""`fit-lmm` takes a table as it comes, and says in one sentence what is wrong with it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mixed_fits import random_intercept
from pniflow import cli
from pniflow.errors import InputError
from pniflow.models.fit_lmm import fit_lmm

TABLE = """participant,session,visit,score,other
P1,0,pre,12.5,1
P1,1,post,10,2
P2,0,pre,15,2
P2,1,post,14.25,1
P3,0,pre,11,5
P3,1,post,NA,3
P4,0,pre,19,2
P4,1,post,15.5,
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(TABLE)
    return path


def fitted(path, tmp_path, **options):
    options = {"response": "score", "fixed": ["session"], "group": ["participant"], **options}
    fit_lmm(data=path, out=tmp_path / "fit.json", **options)
    return json.loads((tmp_path / "fit.json").read_text())


def test_missing_rows_are_left_out_and_counted(table, tmp_path):
    fit = fitted(table, tmp_path)
    y = np.array([12.5, 10, 15, 14.25, 11, 19, 15.5])
    x = np.column_stack([np.ones(7), [0, 1, 0, 1, 0, 0, 1]])
    expected = random_intercept(x, [1, 1, 2, 2, 3, 4, 4], y)
    np.testing.assert_allclose(fit["estimate"], expected.estimate[:, 0], rtol=1e-12)
    np.testing.assert_allclose(fit["se_kr"], expected.se_kr[:, 0], rtol=1e-12)
    assert "1 of 8 rows left out" in fit["note"]
    assert fit["names"] == ["(intercept)", "session"]
    assert fit["n_observations"] == 7 and fit["n_groups"] == {"participant": 4}


def test_only_columns_in_use_leave_rows_out(table, tmp_path):
    assert "2 of 8 rows left out" in fitted(table, tmp_path, fixed=["session", "other"])["note"]


def test_intercept_alone_and_repeated_group_flags(table, tmp_path):
    words = ["fit-lmm", "--data", str(table), "--response", "score", "--out", str(tmp_path / "fit.json")]
    assert cli.main([*words, "--group", "participant", "--group", "visit"]) == 0
    fit = json.loads((tmp_path / "fit.json").read_text())
    assert fit["names"] == ["(intercept)"]
    assert list(fit["variances"]) == ["participant", "visit"]


def test_numbers_that_label_groups_are_labels(table, tmp_path):
    named = fitted(table, tmp_path)
    table.write_text(TABLE.replace("P", ""))
    assert fitted(table, tmp_path)["estimate"] == named["estimate"]


def test_tab_separated_and_parquet_tables_give_the_same_fit(table, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(table)
    frame.to_csv(tmp_path / "data.tsv", sep="\t", index=False)
    frame.to_parquet(tmp_path / "data.parquet")
    expected = fitted(table, tmp_path)
    assert fitted(tmp_path / "data.tsv", tmp_path) == expected
    assert fitted(tmp_path / "data.parquet", tmp_path) == expected


def test_what_is_not_estimable_is_null(table, tmp_path):
    table.write_text(
        "id,x,double,y\n" + "".join(f"{i // 2},{i % 2},{2 * (i % 2)},{i * i}\n" for i in range(12))
    )
    fit = fitted(table, tmp_path, response="y", fixed=["x", "double"], group=["id"])
    assert fit["estimate"][1:] == [None, None]
    assert fit["estimate"][0] is not None
    assert "double is a combination of x" in fit["note"]


def test_same_bytes_twice(table, tmp_path):
    fitted(table, tmp_path)
    first = (tmp_path / "fit.json").read_bytes()
    fitted(table, tmp_path)
    assert (tmp_path / "fit.json").read_bytes() == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"response": "scores"}, ["--response", "'scores'", "participant, session"]),
        ({"fixed": ["session + other"]}, ["'session + other'", "formulas are not read"]),
        ({"fixed": ["visit"]}, ["row 1", "'pre'", "'visit'", "numeric"]),
        ({"fixed": ["session", "session"]}, ["'session' twice"]),
        ({"fixed": ["score"]}, ["'score'", "response"]),
        ({"group": []}, ["--group"]),
        ({"slope": ["visit"]}, ["'pre'", "'visit'"]),
    ],
)
def test_wrong_names_and_values_are_one_sentence(table, tmp_path, options, words):
    with pytest.raises(InputError) as error:
        fitted(table, tmp_path, **options)
    sentence = str(error.value)
    assert "\n" not in sentence and str(table) in sentence
    for word in words:
        assert word in sentence
    assert not (tmp_path / "fit.json").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("participant,session,score\n", "no rows"),
        ("participant,session,session,score\nP1,0,1,2\n", "twice"),
        ("participant,session,score\nP1,0,\nP2,1,NA\n", "no row has a value"),
        ("participant,session,score\nP1,0,1\nP1,1,2,3,4\n", "not a readable"),
        ("participant,session,score\nP1,0,inf\nP1,1,2\n", "finite number"),
    ],
)
def test_broken_files_are_one_sentence(table, tmp_path, text, words):
    table.write_text(text)
    with pytest.raises(InputError, match=words) as error:
        fitted(table, tmp_path)
    assert "\n" not in str(error.value)


def test_an_absent_file_ends_with_one(tmp_path, capsys):
    words = [
        "--data",
        str(tmp_path / "none.csv"),
        "--response",
        "y",
        "--group",
        "g",
        "--out",
        str(tmp_path / "o.json"),
    ]
    assert cli.main(["fit-lmm", *words]) == 1
    assert "no such file" in capsys.readouterr().err


def test_a_slope_that_does_not_vary_is_refused(table, tmp_path):
    table.write_text("id,x,y\n" + "".join(f"{i // 3},1,{i * i % 7}\n" for i in range(12)))
    with pytest.raises(InputError, match="slope"):
        fitted(table, tmp_path, response="y", fixed=[], group=["id"], slope=["x"])
