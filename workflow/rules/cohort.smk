# Cohort: every measure of every participant and session in one table, and what was left out.

COHORT = read_by("assemble_cohort", MODALITIES)


rule assemble_cohort:
    input:
        **placed(COHORT),
        study=plan.study_file,
        participants="<results>/study/participants.tsv",
        sessions="<results>/study/sessions.tsv",
        knowledge=(
            known := reads("* study atlases/groups atlases/test_retest atlases/ranges")
        ),
    output:
        measures="<results>/cohort/measures.parquet",
        excluded="<results>/cohort/excluded_measures.parquet",
        participants="<results>/cohort/participants.tsv",
        flow=report(
            "<results>/cohort/flow.tsv",
            category="Tables",
            caption="../report/flow.rst",
            labels={"table": "Participants by branch and session"},
        ),
        exclusions=report(
            "<results>/cohort/exclusions.tsv",
            category="Tables",
            caption="../report/exclusions.rst",
            labels={"table": "What was left out"},
        ),
        flags="<results>/cohort/flags.tsv",
        outcomes="<results>/cohort/outcomes.tsv",
        course="<results>/cohort/course.tsv",
        inclusion="<results>/cohort/inclusion.tsv",
        table1=report(
            "<results>/cohort/table1.tsv",
            category="Tables",
            caption="../report/table1.rst",
            labels={"table": "Characteristics and measures at each session"},
        ),
        dictionary="<results>/cohort/dictionary.json",
        dictionary_table="<results>/cohort/dictionary.tsv",
    log:
        "<logs>/assemble_cohort.log",
    benchmark:
        "<benchmarks>/assemble_cohort.jsonl"
    group:
        together("results")
    conda:
        "../../envs/pniflow.yaml"
    params:
        minimum_quality=lookup(dpath="cat12/minimum_quality", within=config),
        mixed=switch(
            "allow-mixed " + " ".join(config["cat12"]["allow_mixed"]),
            config["cat12"]["allow_mixed"],
        ),
        mixed_versions=switch(
            "allow-mixed-versions", config["cat12"]["allow_mixed_versions"]
        ),
        out=subpath(output.flow, parent=True),
        code=code_digest("cohort.assemble_cohort", known),
        made_by=[code_digest(stage, []) for stage in MADE_BY],
    message:
        "Measures, participant flow, exclusions and Table 1"
    shell:
        f"{PNIFLOW} assemble-cohort"
        " --study {input.study:q}"
        " --participants {input.participants:q} --sessions {input.sessions:q}"
        f"{flags(COHORT)}"
        " --minimum-quality {params.minimum_quality}{params.mixed}{params.mixed_versions} --out {params.out:q} 2> {log:q}"
