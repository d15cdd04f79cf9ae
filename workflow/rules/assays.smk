# Laboratory values: from duplicates to analysed measures.


rule score_assays:
    input:
        study=plan.study_file,
        assays="<results>/study/assays.tsv",
        knowledge=(known := reads("study assays assay_scores")),
    output:
        scores="<results>/assays/assay_scores.tsv",
    log:
        "<logs>/score_assays.log",
    benchmark:
        "<benchmarks>/score_assays.jsonl"
    group:
        together("tables")
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("assays.score_assays", known),
    message:
        "Laboratory values on the analysed scale, values below the detection limit counted"
    shell:
        f"{PNIFLOW} score-assays"
        " --assays {input.assays:q} --study {input.study:q}"
        " --scores {output.scores:q} 2> {log:q}"
