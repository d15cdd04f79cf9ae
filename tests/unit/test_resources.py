"""One's own resources: found first by every reader, for each folder apart, added where rows add."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pniflow import cli, resources
from pniflow.contracts import write_table
from pniflow.errors import InputError
from pniflow.expression.genes import gene_map, identify
from pniflow.imaging.atlases import metric, region, region_groups, require_group
from pniflow.models.clinical_change import minimal_changes
from pniflow.models.results import frame_of
from pniflow.new_study.questionnaires import guess_instruments
from pniflow.report.bibliography import Bibliography
from pniflow.resources import files, rows, searched, shipped
from pniflow.study.fields import Field
from pniflow.text import labels


def table(path: Path, *lines: str) -> Path:
    """Write a table of one's own, cells separated by blanks here; return the folder of resources."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(line.split(" ")) + "\n" for line in lines))
    return path.parent.parent


GENE = "STK10\tHGNC:11388\tENSG00000072786\t6793\tprotein coding\t\t\t\tus"


def test_a_gene_of_ones_own_adds_to_the_map_and_is_gone_outside(tmp_path: Path) -> None:
    head = (shipped("resources") / "genes/gene_map.tsv").read_text().splitlines()[0]
    (tmp_path / "genes").mkdir()
    (tmp_path / "genes/gene_map.tsv").write_text(f"{head}\n{GENE}\n")
    assert identify(["STK10"], gene_map()) == [None]
    with searched(tmp_path):
        found = identify(["STK10", "ENSG00000072786.2", "IL8"], gene_map())
        assert [match and match.gene for match in found] == ["STK10", "STK10", "CXCL8"]
    assert identify(["STK10"], gene_map()) == [None]


OCCIPITAL = ["group atlas metric region weight_left weight_right source",
             "my_occipital neuromorphometrics gm_volume cuneus 1 1 us"]  # fmt: skip


def cuneus() -> pd.DataFrame:
    rows = [("sub-1", "ses-pre", "s", "neuromorphometrics", "cuneus", side, "gm_volume", value)
            for side, value in (("left", 4.0), ("right", 5.0))]  # fmt: skip
    columns = ["participant_id", "session_id", "scan", "atlas", "region", "hemisphere", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


def test_a_region_group_of_ones_own_makes_measures_beside_the_shipped_ones(tmp_path: Path) -> None:
    name = "neuromorphometrics.my_occipital.{}.gm_volume"
    assert region_groups(cuneus())["measure"].isin([name.format("left")]).sum() == 0
    with searched(table(tmp_path / "atlases/groups.tsv", *OCCIPITAL)):
        groups = region_groups(cuneus()).set_index("measure")["value"]
        assert groups[[name.format("left"), name.format("right")]].tolist() == [4, 5]
        require_group("neuromorphometrics", "anterior_insula")
    with pytest.raises(InputError, match="there is no group 'my_occipital'"):
        require_group("neuromorphometrics", "my_occipital")


def test_a_weight_that_is_no_number_is_named(tmp_path: Path) -> None:
    folder = table(tmp_path / "atlases/groups.tsv", *OCCIPITAL[:1], OCCIPITAL[1].replace("1 1", "one 1"))
    with searched(folder), pytest.raises(InputError, match=r"weight_left of my_occipital, .* is 'one'"):
        region_groups(cuneus())


def test_an_atlas_and_a_metric_of_ones_own_are_known(tmp_path: Path) -> None:
    table(tmp_path / "atlases/ours.tsv", "source_name region hemisphere", "lX x left")
    table(tmp_path / "atlases/metrics.tsv", "tag metric unit minimum maximum", "Vmyelin myelin 1 0 2")
    assert not region("ours", "lX", surface=False).known
    with searched(tmp_path):
        assert region("ours", "lX", surface=False).name == "x"
        assert (metric("Vmyelin").name, metric("Vmyelin").range.maximum) == ("myelin", 2)
        assert metric("Vgm").name == "gm_volume"
    assert metric("Vmyelin").unit == "unknown"


def test_new_study_recognizes_an_instrument_of_ones_own(tmp_path: Path) -> None:
    key = (shipped("resources") / "instruments/gad7.yaml").read_text()
    (tmp_path / "instruments").mkdir()
    (tmp_path / "instruments/worry.yaml").write_text(key.replace("gad7", "worry"))
    fields = {f"worry_{item}": Field(f"worry_{item}", "text") for item in range(1, 8)}
    assert guess_instruments(fields) == []
    with searched(tmp_path):
        assert [one.instrument for one in guess_instruments(fields)] == ["worry"]
    assert guess_instruments(fields) == []


def test_labels_and_important_changes_are_those_of_the_folder(tmp_path: Path) -> None:
    text = (shipped("resources") / "instruments/gad7.yaml").read_text()
    for folder, points in (("a", 4), ("b", 5)):
        (tmp_path / folder / "instruments").mkdir(parents=True)
        new = f"minimal_important_change: [{{scale: gad7, points: {points}, note: n, evidence: us}}]\n"
        kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("minimal_"))
        (tmp_path / folder / "instruments/gad7.yaml").write_text(kept + new)
        table(tmp_path / folder / "labels/measures.tsv", "measure label", f"ctra Own-{folder}")
    for folder, points in (("a", 4), ("b", 5)):
        with searched(tmp_path / folder):
            assert minimal_changes()["gad7"][0] == points
            assert labels.label("ctra").long == f"Own-{folder}"
            assert labels.label("tiv").long != "tiv"
    assert labels.label("ctra").long != "Own-b"


def test_works_of_ones_own_add_to_the_references(tmp_path: Path) -> None:
    (tmp_path / "references").mkdir()
    (tmp_path / "references/references.yaml").write_text("us: {author: Us, title: Ours, year: '2024'}\n")
    shipped_works = set(Bibliography().known)
    with searched(tmp_path):
        assert set(Bibliography().known) == shipped_works | {"us"}


def test_files_of_a_kind_are_each_the_one_that_is_found(tmp_path: Path) -> None:
    (tmp_path / "instruments").mkdir()
    for name in ("pss10.yaml", "mine.yaml", "notes.txt"):
        (tmp_path / "instruments" / name).write_text("")
    before = files("instruments")
    with searched(tmp_path):
        after = files("instruments")
    assert [path.stem for path in after] == sorted([*(path.stem for path in before), "mine"])
    assert [path.stem for path in after if path.parent == tmp_path / "instruments"] == ["mine", "pss10"]


def test_rows_of_ones_own_replace_those_of_their_key(tmp_path: Path) -> None:
    folder = table(tmp_path / "labels/measures.tsv", "measure short", "ctra Ours", "new New")
    with searched(folder):
        found = {row["measure"]: row for row in rows("labels", "measures")}
    assert (found["ctra"]["short"], found["ctra"]["label"], found["new"]["short"]) == ("Ours", "", "New")
    assert len(found) == len(rows("labels", "measures")) + 1


def test_resources_stand_before_the_command_or_among_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last words in the terminal have one's own labels."""
    folder = table(tmp_path / "mine/labels/measures.tsv", "measure label short", "ctra Ours Ours")
    row = {"model": "m", "family": "f", "role": "primary", "outcome": "ctra", "term": "session"}
    numbers = dict.fromkeys(("estimate", "std_error", "statistic"), 1.0) | {"df": 5.0, "p_value": 0.4}
    numbers |= {"n_participants": 6, "n_observations": 12}
    estimates = frame_of([row | numbers | {"conf_low": -1.0, "conf_high": 3.0}], "estimates")
    write_table(estimates, tmp_path / "results/models/estimates.tsv")
    command = ["summarize-results", "--results", str(tmp_path / "results")]
    for words_ in (["--resources", str(folder), *command], [*command, "--resources", str(folder)]):
        assert cli.main(words_) == 0
        assert "Ours" in capsys.readouterr().out
    assert cli.main(command) == 0
    assert "Ours" not in capsys.readouterr().out
    assert cli.main(["--resources", str(tmp_path / "absent"), *command]) == 1
    assert "absent: there is no such folder of resources" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a b", "", "x.yaml"])
def test_a_resource_is_a_name_and_never_a_path(name: str) -> None:
    with pytest.raises(InputError, match="is not a resource name"):
        resources.find("instruments", name)


def test_an_unknown_resource_lists_the_known_ones() -> None:
    page = r"docs/questionnaires\.md says how to write one of your own\.$"
    with pytest.raises(InputError, match=rf"instruments: there is no 'pss99'; known are .*pss10.*; {page}"):
        resources.find("instruments", "pss99")


def test_the_users_own_resources_come_first(tmp_path: Path) -> None:
    own = tmp_path / "instruments" / "pss10.yaml"
    own.parent.mkdir()
    own.write_text("name: pss10\n")
    with resources.searched(tmp_path):
        assert resources.find("instruments", "pss10") == own
        assert resources.find("instruments", "gad7") != own
    assert resources.find("instruments", "pss10") != own
