# Questionnaires: from item responses to scales.


rule score_questionnaires:
    input:
        responses="<results>/study/responses.parquet",
        knowledge=(known := reads(f"responses scales reliability instrument {SCORED}")),
    output:
        scales="<results>/questionnaires/scales.tsv",
        reliability=report(
            "<results>/questionnaires/reliability.tsv",
            category="Tables",
            caption="../report/reliability.rst",
            labels={"table": "Reliability of the scales"},
        ),
    log:
        "<logs>/score_questionnaires.log",
    benchmark:
        "<benchmarks>/score_questionnaires.jsonl"
    group:
        together("tables")
    conda:
        "../../envs/pniflow.yaml"
    params:
        instruments=lookup(dpath="questionnaires/instruments", within=config),
        code=code_digest("questionnaires.score_questionnaires", known),
    message:
        "Scales of {params.instruments}"
    shell:
        f"{PNIFLOW} score-questionnaires"
        " --responses {input.responses:q}"
        " --instruments {params.instruments}"
        " --scales {output.scales:q} --reliability {output.reliability:q} 2> {log:q}"
