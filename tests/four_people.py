"""A study of four people, small enough to count by hand: its study.yaml and every stage's table."""

from __future__ import annotations

from pathlib import Path

STUDY = """
title: Four people
sessions: {ses-pre: {label: before}, ses-post: {label: after}}
redcap: {export: e.csv, dictionary: d.csv, events: {a: ses-pre, b: ses-post}}
covariates:
  age: {field: age, unit: years}
  b_cell_depletion: {field: bcd, coding: {"0": "no", "1": "yes"}}
  completed_course: {field: done, coding: {"0": "no", "1": "yes"}}
instruments: {pss10: {fields: "pss10_{item}"}}
assays:
  hair_cortisol: {file: h.csv, columns: {participant: p, session: s, value: v}, unit: pg/mg}
expression:
  matrix: m.tsv
  unit: counts
  samples: s.tsv
  columns: {sample: s, participant: p, session: t}
cat12: {folder: cat12, lesion_handling: none}
lesions: {folder: lst}
"""

# Four enrolled; D never came after baseline. B finished the course but not the assessment's blood.
TABLES = {
    "participants": """participant_id age b_cell_depletion completed_course
        A 40 yes yes
        B 50 no yes
        C . yes yes
        D 60 no no""",
    "sessions": """participant_id session_id day
        A ses-pre 0
        A ses-post 56
        B ses-pre 0
        B ses-post 56
        C ses-pre 0
        C ses-post 56
        D ses-pre 0""",
    "scales": """participant_id session_id scale score items_answered items_total prorated
        A ses-pre pss10 20 10 10 false
        A ses-post pss10 10 10 10 false
        B ses-pre pss10 24 9 10 true
        B ses-post pss10 . 4 10 false
        C ses-pre pss10 16 10 10 false
        C ses-post pss10 . 0 10 false
        D ses-pre pss10 30 10 10 false
        C ses-post mfis 12 21 21 false""",
    "assays": """participant_id session_id measure value unit below_limit
        A ses-pre log_hair_cortisol 1.5 ln(pg/mg) false
        A ses-post log_hair_cortisol 1.25 ln(pg/mg) false
        B ses-pre log_hair_cortisol . ln(pg/mg) true
        C ses-pre log_hair_cortisol . ln(pg/mg) false""",
    "samples": """sample_id participant_id session_id batch
        S1 A ses-pre 1
        S2 A ses-post 1
        S3 B ses-pre 2
        S4 C ses-pre 2""",
    "ctra": """sample_id ctra ctra_mean_z ctra_mean_log2 ctra_balanced inflammatory interferon \
antibody genes_used genes_missing floored_share log2_CD3D note
        S1 0.5 0.5 1.5 0.25 0.75 0.1 0.2 53 0 0 8.5 .
        S2 -0.5 -0.5 1 -0.25 -0.75 0.1 0.2 53 0 0 8.25 the_score_rests_on_few_genes
        S3 . . . . . . . 0 53 . . no_genes""",
    "scans": """scan participant_id session_id report label_volume label_surface longitudinal average batch
        avg_sub-A A ses-pre . . . true true .
        rsub-A_post A ses-post r v s true false 1
        rsub-A_pre A ses-pre r v s true false 1
        rsub-B_post B ses-post r v s true false 1
        rsub-B_pre B ses-pre r v s true false 1
        rsub-C_pre C ses-pre r v s true false 1
        stray . . r . . false false 1""",
    "quality": """scan participant_id session_id status reason iqr siqr ncr icr res_rms iqr_percent \
siqr_percent iqr_grade siqr_grade
        rsub-A_post A ses-post ok . 2.25 2.5 2 2 2 82.5 80 B B
        rsub-A_pre A ses-pre ok . 2 . 2 2 2 85 . B .
        rsub-B_post B ses-post ok . 2 5 2 2 2 85 55 B E
        rsub-B_pre B ses-pre ok . 2 2 2 2 2 85 85 B B
        rsub-C_pre C ses-pre failed CAT12_stopped_in_segmentation . . . . . . . . .
        stray . . ok . 2 2 2 2 2 85 85 B B""",
    "globals": """scan participant_id session_id tiv gm wm csf wmh mean_thickness cat_version
        rsub-A_post A ses-post 1400 600 500 300 . 2.5 12.8.1_2042
        rsub-A_pre A ses-pre 1401 610 500 291 . 2.625 12.8.1_2042
        rsub-B_post B ses-post 1500 650 500 350 . 2.5 12.8.1_2042
        rsub-B_pre B ses-pre 1502 652 500 350 . 2.5 12.8.1_2042
        stray . . 1300 600 400 300 . 2.5 12.8.1_2042""",
    "lesions": """participant_id session_id lesion_volume lesion_count
        A ses-pre 3.5 12
        A ses-post 3.75 12""",
}


def write_study(folder: Path, study: str = STUDY, **changed: str | None) -> dict[str, Path]:
    """Write the tables ('.' is blank) and return the arguments of assemble_cohort."""
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(study)
    paths = {"study": folder / "study.yaml", "out": folder / "out"}
    for name, text in {**TABLES, **changed}.items():
        if text is not None:
            rows = [["" if cell == "." else cell for cell in line.split()] for line in text.splitlines()]
            paths[name] = folder / f"{name}.tsv"
            paths[name].write_text("".join("\t".join(row) + "\n" for row in rows))
    return paths
