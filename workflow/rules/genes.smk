# Genes: models over the genes of the score.


rule fit_over_genes:
    input:
        expression="<results>/expression/normalized.parquet",
        samples="<results>/study/samples.tsv",
        participants="<results>/cohort/participants.tsv",
        measures="<results>/cohort/measures.parquet",
        knowledge=(
            known := reads(
                f"measures participants samples over_genes gene_estimates {GENE_MAP} {GENE_SET}"
            )
        ),
    output:
        estimates=report(
            "<results>/models/over_genes.tsv",
            category="Tables",
            caption="../report/over_genes.rst",
            labels={"table": "Analyses over genes"},
        ),
        genes=report(
            "<results>/models/gene_estimates.tsv",
            category="Tables",
            caption="../report/gene_estimates.rst",
            labels={"table": "Estimates gene by gene"},
        ),
    log:
        "<logs>/fit_over_genes.log",
    benchmark:
        "<benchmarks>/fit_over_genes.jsonl"
    group:
        together("results")
    conda:
        "../../envs/pniflow.yaml"
    params:
        predictors=words(
            "--predictors", config["expression"]["over_genes"]["predictors"]
        ),
        covariates=words(
            "--covariates", config["expression"]["over_genes"]["covariates"]
        ),
        permutations=lookup(dpath="expression/over_genes/permutations", within=config),
        gene_set=lookup(dpath="expression/ctra/gene_set", within=config),
        baseline=next(iter(study["sessions"])),
        code=code_digest("genes.fit_over_genes", known),
    message:
        "Models over the genes of the score, the legacy one beside the default"
    shell:
        f"{PNIFLOW} fit-over-genes"
        " --expression {input.expression:q} --samples {input.samples:q}"
        " --participants {input.participants:q} --measures {input.measures:q}"
        "{params.predictors}{params.covariates} --baseline {params.baseline}"
        " --gene-set {params.gene_set} --legacy --permutations {params.permutations}"
        " --out {output.estimates:q} --genes {output.genes:q} 2> {log:q}"
