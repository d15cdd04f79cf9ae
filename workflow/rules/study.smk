# Records and laboratory values: from a lab's own files to tidy tables.


rule ingest_study:
    input:
        study=plan.study_file,
        records=RECORDS,
        knowledge=(
            known := reads(
                f"study participants sessions samples responses assays account windows instrument {ASKED}"
            )
        ),
    output:
        participants="<results>/study/participants.tsv",
        sessions="<results>/study/sessions.tsv",
        samples="<results>/study/samples.tsv",
        responses="<results>/study/responses.parquet",
        assays="<results>/study/assays.tsv",
        account="<results>/study/account.tsv",
        windows="<results>/study/windows.tsv",
    log:
        "<logs>/ingest_study.log",
    benchmark:
        "<benchmarks>/ingest_study.jsonl"
    group:
        together("tables")
    conda:
        "../../envs/pniflow.yaml"
    params:
        out=subpath(output.participants, parent=True),
        code=code_digest("study.ingest_study", known),
    message:
        "Participants, sessions, samples, responses and assays of the study"
    shell:
        f"{PNIFLOW} ingest-study"
        f" --study {{input.study:q}} --data {word(plan.data_folder)}"
        " --out {params.out:q} --windows {output.windows:q} 2> {log:q}"
