"""`pniflow trace`: where a number comes from."""

from __future__ import annotations

import hashlib
import html
import re
from pathlib import Path

import pandas as pd
import pytest

import made_results as made
from called import call
from pniflow.contracts import write_table
from pniflow.errors import InputError
from pniflow.models.specification import read_models
from pniflow.report.render_report import render_report
from pniflow.report.trace import formula, trace
from pniflow.tables import TABLES

KEY = "ctra_on_pss10/ctra/pss10_within"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_table(made.estimates(), tmp_path / "models" / "estimates.tsv", "estimates")
    row = made.row("ctra_on_pss10", "ctra_within", "ctra", "pss10_within", -0.0213, 0.01, p_value=0.06)
    write_table(
        pd.DataFrame([made.variant("cr2", row)]), tmp_path / "models" / "sensitivity.tsv", "sensitivity"
    )
    write_table(made.measures(), tmp_path / "cohort" / "measures.parquet", "measures")
    return tmp_path


def test_a_key_shows_row_model_sensitivity_and_files(results, root, capsys):
    trace([KEY], results=results, models=root / "config" / "models.yaml")
    text = capsys.readouterr().out
    assert text.startswith(KEY)
    assert "estimate: -0.034" in text
    assert "higher CTRA = more adverse" in text
    assert (
        "\nfixed: intercept, session, pss10 split into within and between persons, age, bmi, b_cell_depletion"
        in text
    )
    assert "\nrandom: intercept per participant" in text
    assert "sensitivity, cr2: −0.0213, p\u00a0=\u00a0.060" in text
    digest = hashlib.sha256((results / "cohort" / "measures.parquet").read_bytes()).hexdigest()
    assert f"input cohort/measures.parquet: sha256 {digest}" in text
    assert str(results) not in text


def test_the_unit_is_that_of_the_data(results, capsys):
    measures = made.measures()
    measures.loc[measures["measure"] == "ctra", "unit"] = "own unit"
    write_table(measures, results / "cohort" / "measures.parquet", "measures")
    trace([KEY], results=results)
    assert "outcome: CTRA score (own unit)" in capsys.readouterr().out


def test_an_unknown_key_is_one_sentence_with_the_nearest_names(results):
    with pytest.raises(InputError, match="there is no row ctra_on_pss10/ctra/pss10_withn") as error:
        trace(["ctra_on_pss10/ctra/pss10_withn"], results=results)
    assert KEY in str(error.value)


def test_a_word_that_is_no_key_says_where_keys_stand_and_names_some_with_it(results):
    with pytest.raises(InputError, match="A key is model/outcome/term; all are listed in the report"):
        trace(["foo"], results=results)
    with pytest.raises(InputError, match=r"the nearest are .*pss10_within"):
        trace(["WITHIN"], results=results)


def test_every_planned_model_is_found_under_its_written_name(root):
    plan = read_models(root / "config" / "models.yaml")
    model = plan.model("ctra_on_maia2_trusting")
    assert model is not None
    assert formula(model, plan)[0] == (
        "fixed",
        "intercept, session, maia2_trusting split into within and between persons, age, bmi,"
        " b_cell_depletion",
    )
    assert plan.model("ctra_on_nothing") is None


def test_the_page_shows_what_the_terminal_prints(results, root, tmp_path, capsys):
    plan = root / "config" / "models.yaml"
    trace([KEY], results=results, models=plan)
    said = capsys.readouterr().out.splitlines()[2:-1]
    out = tmp_path / "report.html"
    call(
        render_report,
        study=made.write_study(tmp_path),
        estimates=results / "models" / "estimates.tsv",
        sensitivity=results / "models" / "sensitivity.tsv",
        models=plan,
        out=out,
    )
    text = out.read_text(encoding="utf-8")
    shown = text.partition(f'aria-label="Trace of {KEY}"')[2].partition("</section>")[0]
    shown += text.partition('class="behind"')[2].partition("</section>")[0]
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", shown)
    assert [html.unescape(f"{name}: {value}") for name, value in pairs] == said
    assert any(line.startswith("command: pniflow fit-models --measures results/cohort/") for line in said)


def test_a_number_of_the_sensitivity_analyses_alone_has_its_trace(results, root, tmp_path, capsys):
    models, plan = results / "models", root / "config" / "models.yaml"
    tested = "change_pro/pss10/session"
    alone = "insula_thickness_on_ctra/aparc_HCP_MMP1.anterior_insula.left.thickness/ctra_within"
    change = made.row("change_pro", "pro_change", "pss10", "session", -4.2, 0.8, p_value=0.02)
    rows = [made.variant("equivalence", change, bound=2.0), made.variant("completers", change)]
    model, outcome, term = alone.split("/")
    other = made.row(model, "insula_ctra", outcome, term, 0.168, 0.03, p_value=0.04)
    rows += [made.variant("other_atlases", other)]
    write_table(pd.DataFrame(rows), models / "sensitivity.tsv", "sensitivity")
    trace([alone], results=results, models=plan)
    said = capsys.readouterr().out
    assert "\nestimate: 0.168\n" in said
    assert "\nvariant: other_atlases\n" in said
    assert "sensitivity, other_atlases" not in said
    out = tmp_path / "report.html"
    call(
        render_report,
        study=made.write_study(tmp_path),
        estimates=models / "estimates.tsv",
        sensitivity=models / "sensitivity.tsv",
        models=plan,
        out=out,
    )
    text = out.read_text(encoding="utf-8")
    assert not re.search(r'<span class="n"', text)
    for name, key in ((f"{alone}/other_atlases", alone), (tested, tested)):
        anchor = re.search(rf'<a href="#(\w+)"[^>]* data-key="{re.escape(name)}"', text)
        assert anchor
        assert f'id="{anchor[1]}" tabindex="-1" aria-label="Trace of {key}"' in text


def test_every_table_of_the_report_names_a_rule_that_there_is(root):
    text = "".join(path.read_text(encoding="utf-8") for path in (root / "workflow" / "rules").glob("*.smk"))
    assert {table.rule for table in TABLES.values()} <= set(re.findall(r"^rule (\w+):", text, re.M))
