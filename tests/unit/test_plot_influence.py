"""How far single participants move the main estimates, and who they are."""

from __future__ import annotations

import pandas as pd
import pytest

import made_results as made
from drawn_figures import draw, sensitivity
from pniflow.contracts import write_table
from pniflow.errors import InputError
from pniflow.figures.plot_influence import choose_rows
from pniflow.text.estimates import estimates_of, variants_of

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


@pytest.mark.parametrize(
    ("people", "who"),
    [
        (made.people(23), "sub-011"),
        ([f"{number:03}" for number in range(1, 24)], "011"),
        ([f"P-{number}" for number in range(1, 24)], "P-11"),
        ([f"p{number:03}" for number in range(1, 24)], "p011"),
        (None, "no. 11"),
    ],
)
def test_shifts_are_in_standard_errors_and_name_the_person_of_the_larger_one(people, who):
    rows = estimates_of(made.estimates())
    shown = choose_rows(rows, variants_of(sensitivity()), people)
    assert [one.row.key for one in shown] == [
        "change_biology/ctra/session", "ctra_on_pss10/ctra/pss10_within", "ctra_on_pss10/ctra/pss10_between",
    ]  # fmt: skip
    for one in shown:
        assert one.ends == pytest.approx((-0.5, 0.8), rel=1e-9)
        assert one.who == who
    # p is .81, .0004 and .7 with everybody, and .06 without one.
    assert [one.fragile for one in shown] == [False, True, False]


def test_influence_names_people_by_their_id_where_the_participants_are_given(tmp_path):
    write_table(sensitivity(), tmp_path / "sensitivity.tsv", "sensitivity")
    write_table(made.estimates(), tmp_path / "estimates.tsv", "estimates")
    tables = {name: tmp_path / f"{name}.tsv" for name in ("sensitivity", "estimates")}
    study, people = made.write_study(tmp_path), tmp_path / "participants.tsv"
    said = {}
    for name in ("{:03}", "P-{}", "p{:03}"):
        names = [name.format(number) for number in range(1, 24)]
        write_table(pd.DataFrame({"participant_id": names}), people, "participants")
        said[names[10]] = draw("influence", tmp_path, **tables, participants=people, study=study)
        assert f"(most: {names[10]})" in said[names[10]]["alt"]
        assert "by study number, who makes it" in said[names[10]]["caption"]
    assert len({one["alt"] for one in said.values()}) == 3
    alone = draw("influence", tmp_path, **tables, study=study)
    assert "(most: no. 11)" in alone["alt"]
    assert "by the number of the row in participants.tsv, who makes it" in alone["caption"]
    write_table(pd.DataFrame({"participant_id": ["001", "002"]}), people, "participants")
    with pytest.raises(InputError, match=r"has 2 participants, but .* names participant 11; give the table"):
        draw("influence", tmp_path, "b", **tables, participants=people, study=study)
    assert not (tmp_path / "b.svg").exists()


def test_main_estimates_are_shown(drawn):
    assert drawn[1]["influence"]["keys"] == [
        "change_biology/ctra/session", "ctra_on_pss10/ctra/pss10_within", "ctra_on_pss10/ctra/pss10_between",
    ]  # fmt: skip
