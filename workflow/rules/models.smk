# Models: the prespecified analyses and their sensitivity.


rule fit_models:
    input:
        **MODEL_TABLES,
        measures="<results>/cohort/measures.parquet",
        participants="<results>/cohort/participants.tsv",
        excluded="<results>/cohort/excluded_measures.parquet",
        models=plan.models_file,
    output:
        estimates="<results>/models/estimates.tsv",
        sensitivity="<results>/models/sensitivity.tsv",
        diagnostics="<results>/models/diagnostics.tsv",
    log:
        "<logs>/fit_models.log",
    benchmark:
        "<benchmarks>/fit_models.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("models"),
    message:
        "Mixed-effects models: the prespecified analyses and their sensitivity"
    shell:
        "pniflow fit-models --measures {input.measures} --participants {input.participants}"
        f" --excluded {{input.excluded}}{flags(MODEL_TABLES)}{RESOURCES}"
        " --models {input.models} --estimates {output.estimates}"
        " --sensitivity {output.sensitivity} --diagnostics {output.diagnostics} 2> {log}"
