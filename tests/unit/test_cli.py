"""The command line: commands are public functions, options their parameters; exit 0, 1 bad input, 2 usage."""

from __future__ import annotations

import ast
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from pniflow import __version__, cli
from pniflow.errors import InputError


def sample(
    paths: list[Path],
    *,
    out: Path,
    names: list[str] | None = None,
    gene_set: str = "ctra53",
    share: float = 0.5,
    count: int = 2,
    kind: Literal["counts", "tpm"] = "counts",
    report: Path | None = None,
    loud: bool = False,
) -> None:
    """Do a thing with files; 100 % of them.

    More words that the one-line help leaves out.

    Parameters
    ----------
    paths : list of path
        Files to read.
    out : path
        File to write.
    names : list of str, optional
        Names, any number.
    gene_set : str
        Gene set, 50 % of it.
    share, count : number
        A share and a count.
    kind : str
        What the numbers are.
    report : path, optional
        Report to write.
    loud : bool
        Say more.

    Raises
    ------
    InputError
        Never.
    """


def parsed(*words: str, function: Callable[..., None] = sample) -> dict[str, Any]:
    return vars(cli.parser_of(function, "sample").parse_args(words))


def usage_error(*words: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        parsed(*words)
    assert stopped.value.code == 2


def test_parameters_before_the_star_are_positional_and_the_others_flags() -> None:
    assert parsed("a.xml", "b.xml", "--out", "o.tsv") == {
        "paths": [Path("a.xml"), Path("b.xml")],
        "out": Path("o.tsv"),
        "names": None,
        "gene_set": "ctra53",
        "share": 0.5,
        "count": 2,
        "kind": "counts",
        "report": None,
        "loud": False,
    }


def test_flags_take_the_types_of_the_parameters() -> None:
    given = parsed(
        "a", "--out", "o", "--names", "x", "y", "--gene-set", "other", "--share", "1e-3", "--count", "7",
        "--kind", "tpm", "--report", "r.tsv", "--loud",
    )  # fmt: skip
    assert given["names"] == ["x", "y"]
    assert (given["gene_set"], given["share"], given["count"], given["kind"]) == ("other", 0.001, 7, "tpm")
    assert (given["report"], given["loud"]) == (Path("r.tsv"), True)


def test_a_list_flag_given_twice_adds_up() -> None:
    assert parsed("a", "--out", "o", "--names", "x", "--names", "y", "z")["names"] == ["x", "y", "z"]


@pytest.mark.parametrize(
    "words",
    [
        ["--out", "o"],
        ["a"],
        ["a", "--out", "o", "--kind", "rpkm"],
        ["a", "--out", "o", "--count", "2.5"],
        ["a", "--out", "o", "--share", "nan"],
        ["a", "--out", "o", "--share", "inf"],
        ["a", "--out", "o", "--shar", "0.5"],
        ["a", "--out", "o", "--unknown", "1"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    usage_error(*words)


def test_help_is_the_docstring_and_shows_defaults() -> None:
    text = " ".join(cli.parser_of(sample, "sample").format_help().split())
    assert "Do a thing with files; 100 % of them." in text
    assert "More words" not in text
    assert "--gene-set NAME Gene set, 50 % of it. (default: ctra53)" in text
    assert "--share X A share and a count. (default: 0.5)" in text
    assert "--kind {counts,tpm} What the numbers are. (default: counts)" in text
    assert "--loud Say more." in text and "(default: None)" not in text and "(default: False)" not in text


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_can_be_parsed_and_every_option_has_words(command: str) -> None:
    parser = cli.parser_of(cli.function_of(command), command)
    assert parser.description
    assert [action.dest for action in parser._actions if not action.help] == []
    assert parser.format_help().startswith(f"usage: pniflow {command}")


def test_no_command_has_a_default_that_a_flag_could_not_undo() -> None:
    """A switch turns on and a list adds up, so neither may start full."""
    for command in cli.COMMANDS:
        for action in cli.parser_of(cli.function_of(command), command)._actions:
            assert action.default is not True, (command, action.dest)
            assert not (isinstance(action.default, list) and action.default), (command, action.dest)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """Stand a function in for a command that raises what it is told."""

    def stand_in(problem: BaseException | None) -> None:
        def build(*, out: Path) -> None:
            """Build.

            Parameters
            ----------
            out : path
                File to write.
            """
            if problem:
                raise problem

        monkeypatch.setattr(cli, "function_of", lambda command: build)

    return stand_in


def test_success_is_0_and_says_nothing(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stub(None)
    assert cli.main(["fit-models", "--out", "x"]) == 0
    assert capsys.readouterr() == ("", "")


def test_bad_input_is_1_and_one_sentence(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stub(InputError("t.tsv: row 2 is wrong."))
    assert cli.main(["fit-models", "--out", "x"]) == 1
    assert capsys.readouterr() == ("", "t.tsv: row 2 is wrong.\n")


def test_a_hostile_cell_cannot_break_out_of_its_line(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Line ends, terminal escapes and marks that turn the direction of writing are shown as blanks."""
    stub(InputError("t.tsv: the cell is 'a\nb\x1b[31mc\u202ed'."))
    assert cli.main(["fit-models", "--out", "x"]) == 1
    assert capsys.readouterr().err == "t.tsv: the cell is 'a b [31mc d'.\n"


def test_a_file_that_cannot_be_written_is_1_and_one_sentence(
    stub: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stub(PermissionError(13, "Permission denied", "out.tsv"))
    assert cli.main(["fit-models", "--out", "x"]) == 1
    assert capsys.readouterr().err == "out.tsv: Permission denied.\n"


def test_a_bug_is_not_dressed_up_as_bad_input(stub: Any) -> None:
    stub(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["fit-models", "--out", "x"])


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["--no-such-flag"], ["fit-models"]])
def test_no_or_wrong_command_is_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pniflow.cli", *words], capture_output=True, text=True)


def test_version_starts_in_far_less_than_half_a_second_of_cpu() -> None:
    run("--version")  # once, so that bytecode is there
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = run("--version")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (answer.returncode, answer.stdout) == (0, f"{__version__}\n")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.25


def test_reading_the_signatures_of_all_commands_imports_nothing_heavy() -> None:
    """Modules are imported to read their functions' parameters; numpy is the most they may bring along."""
    heavy = [
        "pandas",
        "scipy",
        "statsmodels",
        "nibabel",
        "nilearn",
        "matplotlib",
        "pyarrow",
        "jsonschema",
    ]
    code = (
        "import sys; from pniflow import cli; functions = [cli.function_of(name) for name in cli.COMMANDS]; "
        f"print(*set(sys.modules) & set({heavy}))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout.split()) == (0, []), answer.stderr


def test_no_module_evaluates_text_or_unpickles(root: Path) -> None:
    """eval, exec, pickle and the like are called nowhere; yaml.load only with the safe loader of files.py."""
    forbidden = {"eval", "exec", "compile", "__import__"}
    found = []
    for path in sorted((root / "workflow/pniflow").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found += [
                    (path.name, name)
                    for name in names
                    if name.split(".")[0] in ("pickle", "marshal", "shelve")
                ]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in forbidden:
                found.append((path.name, node.func.id))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "yaml.load",
                "pd.eval",
                "yaml.unsafe_load",
            ):
                found.append((path.name, ast.unparse(node.func)))
    assert found == [("files.py", "yaml.load")]


def test_help_says_what_each_command_does_and_a_misspelt_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert done.value.code == 0
    for command in cli.COMMANDS:
        line = next(line for line in said.splitlines() if line.startswith(f"  {command} "))
        assert line.endswith(".") and len(line.split(maxsplit=1)[1]) > 20, line
    with pytest.raises(SystemExit) as done:
        cli.main(["newstudy"])
    assert done.value.code == 2
    assert "no command 'newstudy' (is it 'new-study'?); pniflow --help lists them" in capsys.readouterr().err


def test_every_command_finds_the_users_own_resources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A figure has no such parameter, and labels its measures all the same."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/measures.tsv").write_text("measure\tlabel\tshort\nmine\tMy own scale\tMy scale\n")
    columns = "measure\tsession_id\tfrom_day\tto_day\toverlap_days\toverlap_share\n"
    (tmp_path / "windows.tsv").write_text(f"{columns}mine\tses-pre\t-30\t0\t0\t0\n")
    (tmp_path / "study.yaml").write_text("title: A\nsessions: {ses-pre: {day: 0}, ses-post: {day: 56}}\n")
    places = {"windows": "windows.tsv", "study": "study.yaml", "resources": "."}
    places |= {"figure": "f.svg", "image": "f.png", "description": "f.json"}
    words = [word for name, place in places.items() for word in (f"--{name}", str(tmp_path / place))]
    assert cli.main(["plot-windows", *words]) == 0
    assert "My scale" in (tmp_path / "f.svg").read_text()
    (tmp_path / "commas/labels").mkdir(parents=True)
    (tmp_path / "commas/labels/measures.tsv").write_text("measure,label\nmine,My own scale\n")
    words[words.index("--resources") + 1] = str(tmp_path / "commas")
    assert cli.main(["plot-windows", *words]) == 1
    assert "measures.tsv: the columns are measure,label; of measure, label," in capsys.readouterr().err
