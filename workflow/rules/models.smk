# Models: the prespecified analyses and their sensitivity.

FITTED = read_by("fit_models", MODALITIES)


rule fit_models:
    input:
        **placed(FITTED),
        models=plan.models_file,
        knowledge=(
            known := reads(
                contracts(FITTED),
                f"estimates sensitivity diagnostics atlases/ranges {PLANNED}",
            )
        ),
    output:
        estimates=report(
            "<results>/models/estimates.tsv",
            category="Tables",
            caption="../report/estimates.rst",
            labels={"table": "Estimates of the prespecified models"},
        ),
        sensitivity=report(
            "<results>/models/sensitivity.tsv",
            category="Tables",
            caption="../report/sensitivity.rst",
            labels={"table": "Sensitivity analyses"},
        ),
        diagnostics="<results>/models/diagnostics.tsv",
    log:
        "<logs>/fit_models.log",
    benchmark:
        "<benchmarks>/fit_models.jsonl"
    group:
        together("results")
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("models.fit_models", known),
    message:
        "Mixed-effects models: the prespecified analyses and their sensitivity"
    shell:
        f"{PNIFLOW} fit-models"
        f"{flags(FITTED)}"
        " --models {input.models:q} --estimates {output.estimates:q}"
        " --sensitivity {output.sensitivity:q} --diagnostics {output.diagnostics:q} 2> {log:q}"


rule check_design:
    input:
        measures="<results>/cohort/measures.parquet",
        participants="<results>/cohort/participants.tsv",
        models=plan.models_file,
        knowledge=(known := reads(f"measures participants design_checks {PLANNED}")),
    output:
        design=report(
            "<results>/models/design.tsv",
            category="Tables",
            caption="../report/design.rst",
            labels={"table": "Type-I error and power of the design"},
        ),
    log:
        "<logs>/check_design.log",
    benchmark:
        "<benchmarks>/check_design.jsonl"
    group:
        together("results")
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("models.check_design", known),
    message:
        "Type-I error and power of this study's design, by simulation"
    shell:
        f"{PNIFLOW} check-design"
        " --measures {input.measures:q} --participants {input.participants:q}"
        " --models {input.models:q} --design {output.design:q} 2> {log:q}"
