"""Ingest and score 10,000 participants x 4 sessions x 150 items, against a per-row pandas implementation.

Prints seconds and peak memory of `pniflow ingest-study` and `pniflow score-questionnaires`, and the ratio to
scoring the same export row by row with pandas (timed on a part of the rows).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow"))

from pniflow.questionnaires.keys import Key, read_key  # noqa: E402

# 150 items: 118 of the demo study's seven instruments, and 32 of a filler instrument of the same kind.
INSTRUMENTS = ("pss10", "gad7", "phq9", "mfis", "ucla_loneliness_v3", "mhc_sf", "maia2")
FILLER = {
    "name": "filler",
    "title": "Filler",
    "items": 32,
    "range": [0, 4],
    "reversed": [2, 4, 6],
    "scales": {"filler": {"items": "all", "score": "sum", "higher_is": "worse"}},
    "missing": {"minimum_share": 0.5, "published": False, "note": "half rule"},
    "recall_days": None,
    "evidence": "unverified",
    "evidence_note": "made up",
    "sources": [{"for": "key", "cite": "none"}],
    "licence": "none",
}
SESSIONS = ("ses-1", "ses-2", "ses-3", "ses-4")
PEOPLE, PER_ROW = 10_000, 400


def write_study(folder: Path) -> list[Key]:
    """Write export, dictionary, key file and study.yaml; 3 % of the cells are blank."""
    (folder / "own" / "instruments").mkdir(parents=True)
    (folder / "own" / "instruments" / "filler.yaml").write_text(yaml.safe_dump(FILLER))
    keys = [read_key(name, folder / "own") for name in (*INSTRUMENTS, "filler")]
    rng = np.random.default_rng(1)
    rows = PEOPLE * len(SESSIONS)
    columns = {
        "record_id": np.repeat([f"{number:05}" for number in range(PEOPLE)], len(SESSIONS)),
        "redcap_event_name": np.tile([f"{name[4:]}_arm_1" for name in SESSIONS], PEOPLE),
    }
    names = [
        "Variable / Field Name",
        "Form Name",
        "Field Type",
        "Field Label",
        "Choices, Calculations, OR Slider Labels",
        "Text Validation Type OR Show Slider Number",
        "Text Validation Min",
        "Text Validation Max",
        "Identifier?",
    ]
    fields = [["record_id", "form", "text", "Record", "", "", "", "", ""]]
    for key in keys:
        codes = np.arange(int(key.low), int(key.high) + 1)
        choices = " | ".join(f"{code}, Answer {code}" for code in codes)
        for item in range(1, key.items + 1):
            cells = rng.integers(int(key.low), int(key.high) + 1, rows).astype(str)
            columns[f"{key.name}_{item}"] = np.where(rng.random(rows) < 0.03, "", cells)
            fields.append([f"{key.name}_{item}", "form", "radio", f"Item {item}", choices, "", "", "", ""])
    pd.DataFrame(columns).to_csv(folder / "export.csv", index=False)
    pd.DataFrame(fields, columns=names).to_csv(folder / "dictionary.csv", index=False)
    study = {
        "title": "Large",
        "sessions": {name: {} for name in SESSIONS},
        "redcap": {
            "export": "export.csv",
            "dictionary": "dictionary.csv",
            "events": {f"{name[4:]}_arm_1": name for name in SESSIONS},
        },
        "instruments": {key.name: {"fields": key.name + "_{item}"} for key in keys},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return keys


def run(*words: str) -> tuple[float, float, float]:
    """Run a command; return its seconds, processor seconds and peak memory in GiB."""
    code = (
        "import json, resource, sys; from pniflow.cli import main; status = main(sys.argv[1:]);"
        "used = resource.getrusage(resource.RUSAGE_SELF);"
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss])); sys.exit(status)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        check=True,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "workflow"), "PATH": ""},
    )
    processor, memory = json.loads(done.stdout)
    return time.perf_counter() - start, processor, memory / 2**20


def score_row(row: pd.Series, keys: list[Key]) -> dict[str, float]:
    """Score one record as a script in a lab would: item by item with pandas."""
    result = {}
    for key in keys:
        for scale in key.scales:
            values = []
            for item in scale.items:
                cell = pd.to_numeric(row[f"{key.name}_{item + 1}"])
                if pd.notna(cell):
                    values.append(key.low + key.high - cell if key.reversed[item] else cell)
            enough = len(values) >= key.minimum_share * len(scale.items)
            mean = sum(values) / len(values) if enough and values else np.nan
            result[scale.name] = mean if scale.score == "mean" else mean * len(scale.items)
    return result


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = write_study(folder)
        size = (folder / "export.csv").stat().st_size / 2**20
        rows = PEOPLE * len(SESSIONS)
        print(f"{rows} records x {sum(key.items for key in keys)} items ({size:.0f} MiB)")
        own = ["--resources", str(folder / "own")]
        study = ["--study", str(folder / "study.yaml"), "--data", str(folder), "--out", str(folder / "out")]
        ingest, ingest_used, ingest_memory = run("ingest-study", *study, *own)
        instruments = ["--instruments", *(key.name for key in keys)]
        tables = [
            "--responses",
            str(folder / "out/responses.parquet"),
            "--scales",
            str(folder / "scales.tsv"),
        ]
        score, score_used, score_memory = run("score-questionnaires", *tables, *instruments, *own)
        print(
            f"ingest-study          {ingest:6.1f} s ({ingest_used:.1f} s processor)  {ingest_memory:5.2f} GiB"
        )
        print(f"score-questionnaires  {score:6.1f} s ({score_used:.1f} s processor)  {score_memory:5.2f} GiB")
        export = pd.read_csv(folder / "export.csv", dtype={"record_id": str})
        start = time.process_time()
        by_row = [score_row(row, keys) for _, row in export.head(PER_ROW).iterrows()]
        per_row = (time.process_time() - start) / PER_ROW * rows
        compare(folder / "scales.tsv", export.head(PER_ROW), by_row)
        print(f"per-row pandas        {per_row:6.0f} s processor  (from {PER_ROW} records, scoring only)")
        used, peak = ingest_used + score_used, max(ingest_memory, score_memory)
        print(f"ratio                 {per_row / used:6.1f}  (processor seconds)")
        # One process with one thread: its processor seconds are its seconds where nothing else runs.
        met = used <= 30 and peak <= 2
        print(f"{used:.1f} s of 30 s, {peak:.2f} GiB of 2 GiB: {'met' if met else 'NOT MET'}")
        sys.exit(0 if met else 1)


def compare(path: Path, export: pd.DataFrame, by_row: list[dict[str, float]]) -> None:
    """Both ways give the same scores."""
    ours = pd.read_csv(path, sep="\t", dtype={"participant_id": str})
    wide = ours.pivot(index=["participant_id", "session_id"], columns="scale", values="score")
    sessions = "ses-" + export["redcap_event_name"].str.removesuffix("_arm_1")
    theirs = pd.DataFrame(by_row, index=pd.MultiIndex.from_arrays([export["record_id"], sessions]))
    mine = wide.loc[theirs.index, list(theirs)].to_numpy(dtype=float)
    np.testing.assert_allclose(mine, theirs.to_numpy(dtype=float), rtol=1e-12)


if __name__ == "__main__":
    main()
