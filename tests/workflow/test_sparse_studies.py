"""Studies with almost no data: each ends in a page that says what could not be estimated and why, or in one
sentence. What cannot be estimated costs its row, never the page.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import sparse_studies as sparse
from conftest import LONG
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.figures import style
from pniflow.tables import TABLES
from report_pages import Page, text_of
from sparse_studies import BRANCHES, OUTCOMES, Study
from workflow.runs import in_clone, said

pytestmark = [pytest.mark.xdist_group("sparse"), pytest.mark.long]

Change = Callable[[Study], Study]
PAIR = ("ses-pre", "ses-post")
REASONS = "not estimable|constant outcome|perfect fit"
WORDS = r"\b(nan|NaN|None|NaT|inf|undefined)\b|<NA>"
DRAWN = ("one person", "expression alone at one session")
"""Cases whose figures are drawn in every test; all of them in the long one."""


def pair(study: Study) -> Study:
    return study.of_sessions(*PAIR)


def once_but_for_one(study: Study) -> Study:
    """One person comes to every session, the others to the first."""
    return study.keep(
        lambda table: (
            (table["participant_id"] == "sub-01") | (table.get("session_id", "ses-pre") == "ses-pre")
        )
    )


NAN = float("nan")
CASES: dict[str, Change] = {
    "one person": lambda study: pair(study).people(1),
    "two people": lambda study: pair(study).people(2),
    "three people": lambda study: pair(study).people(3),
    "three sessions, two people": lambda study: study.people(2),
    "three sessions, one of them everywhere": once_but_for_one,
    "first wave only": lambda study: pair(study).seen("ses-pre"),
    "last wave only": lambda study: pair(study).seen("ses-post"),
    "one session": lambda study: study.cross_sectional(*OUTCOMES.values()),
    "one session under models of two": lambda study: study.of_sessions("ses-pre"),
    "outcomes of one value": lambda study: pair(study).people(4).change("responses", "value", 1.0),
    "nobody answered at the first session": lambda study: pair(study).change(
        "responses", "value", NAN, "session_id == 'ses-pre'"
    ),
    "nobody answered at all": lambda study: pair(study).change("responses", "value", NAN),
    "a covariate of one value": lambda study: pair(study).change("participants", "b_cell_depletion", "no"),
    "a covariate that nobody has": lambda study: pair(study).change("participants", "age", NAN),
    **{
        f"{branch} alone": lambda study, branch=branch: pair(study).people(2).branches(branch)
        for branch in OUTCOMES
    },
    **{
        f"{branch} alone at one session": lambda study, branch=branch: study.cross_sectional(
            OUTCOMES[branch]
        ).branches(branch)
        for branch in OUTCOMES
    },
}
FEW = (
    *("one person", "three sessions, two people", "first wave only"),
    *("outcomes of one value", "expression alone at one session", "lesions alone"),
)


def words_of(page: Page) -> str:
    """What is read on a page; the data dictionary may say what NaN in a file is."""
    return page.body.partition('"use strict"')[0].replace("blank where the file says NaN", "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study that has everything, of six people."""
    return sparse.full_study(tmp_path_factory.mktemp("whole"), LONG)


@pytest.mark.parametrize("name", CASES if LONG else FEW)
def test_a_study_of_almost_no_data_has_its_page(name, whole, tmp_path, monkeypatch):
    monkeypatch.setitem(style._LOOK, "savefig.dpi", 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        at = sparse.run(
            CASES[name](whole.copy()), tmp_path, drawn=LONG or name in DRAWN, pdf=name == DRAWN[0]
        )
    tables = {name: read_table(at[name], TABLES[name].schema) for name in ("estimates", "sensitivity")}
    for table in tables.values():
        numbers = table.select_dtypes("number")
        assert not np.isinf(numbers.to_numpy(float, na_value=np.nan)).any()
    rows = tables["estimates"]
    lost = rows[rows["p_value"].isna()]
    assert lost["note"].str.contains(REASONS).all(), "each row without a test has its reason"
    assert rows.loc[rows["n_observations"] == 0, "estimate"].isna().all()
    page = Page((tmp_path / "report/report.html").read_text(encoding="utf-8"))
    body = words_of(page)
    assert not re.search(WORDS, body)
    unanswered = lost["family"].notna().sum()
    assert len(re.findall(rf"could not be estimated \((?:{REASONS})", body)) == unanswered
    assert ("Not estimable" in [head["text"] for head in page.all("th")]) == bool(unanswered)
    for first, later in re.findall(r"(?:between|difference of) (\w+) and (\w+)", body):
        assert first != later
    if name == DRAWN[0]:
        assert not re.search(WORDS, text_of(tmp_path / "report/report.pdf"))
    for path in sorted(tmp_path.glob("figures/*.json")):
        words = json.loads(path.read_text(encoding="utf-8"))
        assert not re.search(WORDS, words["caption"] + words["alt"]), path.name
        assert words["empty"] == (words["n"] == 0), path.name
        assert not re.search(r"– \(|\[–|= –", words["alt"]), path.name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda study: study.people(0).branches("lesions"), ["nobody is in this study"]),
        (lambda study: pair(study).branches("images"), ["no rows", "instruments, assays, expression"]),
        (
            lambda study: study.seen("ses-post", "ses-fu").branches("instruments"),
            ["reference session 'ses-pre'", "ses-fu, ses-post"],
        ),
    ],
)
def test_a_study_of_nothing_ends_in_a_sentence(change, words, whole, tmp_path):
    with pytest.raises(InputError) as caught:
        sparse.run(change(whole.copy()), tmp_path, drawn=False)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    for word in words:
        assert word in text


def test_every_branch_has_a_case():
    assert {*OUTCOMES, "images"} == set(BRANCHES)


@pytest.mark.skipif(not LONG, reason="whole runs of the workflow are of the long test")
@pytest.mark.parametrize("sessions", [1, 3])
def test_the_workflow_takes_two_people_to_the_page(sessions, tmp_path):
    names = [f"ses-{number}" for number in range(sessions)]
    items = [f"gad7_{item}" for item in range(1, 8)]
    lines = [
        ",".join([who, name, *(str((len(who) + at + item) % 4) for item in range(7))])
        for who in ("A", "BB")
        for at, name in enumerate(names)
    ]
    (tmp_path / "answers.csv").write_text("\n".join([",".join(["id", "visit", *items]), *lines, ""]))
    about = {
        "title": "two people",
        "sessions": {name: {} for name in names},
        "instruments": {"gad7": {"fields": "gad7_{item}"}},
        "tables": [{"file": "answers.csv", "id": "id", "session": "visit"}],
    }
    model = {"name": "m", "outcomes": ["gad7"], "fixed": ["session"], "test": {"f": ["session"]}}
    if sessions == 1:
        model |= {"fixed": [], "test": {"f": ["(intercept)"]}, "random": []}
    defaults = {"session": {"reference": names[0]}}
    families = {"f": {"role": "primary", "adjust": "bh"}}
    models = {"version": 1, "defaults": defaults, "families": families, "models": [model]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(about))
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(models))
    (tmp_path / "config.yaml").write_text("data: .\nquestionnaires: {instruments: [gad7]}\n")
    run = in_clone("--cores", "2", "--configfile", tmp_path / "config.yaml", directory=tmp_path)
    assert run.returncode == 0, said(run)
    page = Page((tmp_path / "results/report/report.html").read_text(encoding="utf-8"))
    assert not re.search(WORDS, words_of(page))
    assert Path(tmp_path / "results/report/report.pdf").is_file()
