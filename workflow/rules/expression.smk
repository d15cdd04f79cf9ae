# Gene expression: from what the sequencing core delivered to the CTRA score.
GIVEN = study["expression"]
FOLDERS = [key for key in raw if key.startswith("expression.quantifications.")]
METHOD = config["expression"]["normalization"]["method"]
# Of methods that compare whole distributions all rows are kept.
WHOLE = (
    {"whole": "<results>/expression/whole.parquet"}
    if METHOD in ("tmm", "quantile")
    else {}
)
DELIVERED = [key for key in ("expression.matrix", "expression.tx2gene") if key in raw]


rule ingest_expression:
    input:
        [raw[key] for key in DELIVERED + FOLDERS],
        samples="<results>/study/samples.tsv",
        knowledge=(known := reads(f"samples levels gene_match {GENE_MAP}")),
    output:
        **WHOLE,
        levels="<results>/expression/levels.parquet",
        genes="<results>/expression/gene_match.tsv",
    log:
        "<logs>/ingest_expression.log",
    benchmark:
        "<benchmarks>/ingest_expression.jsonl"
    group:
        together("tables")
    conda:
        "../../envs/pniflow.yaml"
    params:
        unit=GIVEN["unit"],
        format=GIVEN["format"],
        strand=GIVEN["strandedness"],
        delivered="".join(
            words(f"--{key.split('.')[1]}", [plan.raw[key]]) for key in DELIVERED
        ),
        quantifications=words("--quantifications", plan.quantifications()),
        housekeeping=words("--housekeeping", GIVEN["housekeeping"]),
        mangled=switch("allow-mangled", GIVEN["allow_mangled"]),
        digest=[digest(key) for key in FOLDERS],
        code=code_digest("expression.ingest_expression", known),
    message:
        "Expression levels by gene, identifiers resolved: {params.unit}"
    shell:
        f"{PNIFLOW} ingest-expression"
        " --unit {params.unit} --format {params.format}"
        " --strand {params.strand}{params.delivered}{params.quantifications}"
        "{params.housekeeping}{params.mangled}"
        f"{' --whole {output.whole:q}' if WHOLE else ''}"
        " --samples {input.samples:q} --out {output.levels:q} --genes {output.genes:q} 2> {log:q}"


rule normalize_expression:
    input:
        **WHOLE,
        levels="<results>/expression/levels.parquet",
        knowledge=(known := reads(f"levels genes/reference11 {GENE_MAP}")),
    output:
        expression="<results>/expression/normalized.parquet",
        report="<results>/expression/normalization.json",
    log:
        "<logs>/normalize_expression.log",
    benchmark:
        "<benchmarks>/normalize_expression.jsonl"
    group:
        together("tables")
    conda:
        "../../envs/pniflow.yaml"
    params:
        method=METHOD,
        named="" if METHOD == "auto" else f" --method {METHOD}",
        mean=lookup(dpath="expression/normalization/mean", within=config),
        scale=lookup(dpath="expression/normalization/scale", within=config),
        floor=lookup(dpath="expression/normalization/floor", within=config),
        code=code_digest("expression.normalize_expression", known),
    message:
        "Normalized log2 expression: {params.method}"
    shell:
        f"{PNIFLOW} normalize-expression"
        f" --levels {{input.levels:q}}{' --whole {input.whole:q}' if WHOLE else ''}"
        "{params.named} --mean {params.mean} --scale {params.scale} --floor {params.floor}"
        " --out {output.expression:q} --report {output.report:q} 2> {log:q}"


rule score_ctra:
    input:
        expression="<results>/expression/normalized.parquet",
        normalization="<results>/expression/normalization.json",
        samples="<results>/study/samples.tsv",
        participants="<results>/study/participants.tsv",
        sessions="<results>/study/sessions.tsv",
        knowledge=(
            known := reads(
                f"samples participants sessions ctra_scores ctra_genes genes/leukocyte8 {GENE_MAP} {GENE_SET}"
            )
        ),
    output:
        scores="<results>/expression/ctra_scores.tsv",
        genes=report(
            "<results>/expression/ctra_genes.tsv",
            category="Tables",
            caption="../report/ctra_genes.rst",
            labels={"table": "Genes of the CTRA score"},
        ),
    log:
        "<logs>/score_ctra.log",
    benchmark:
        "<benchmarks>/score_ctra.jsonl"
    group:
        together("tables")
    conda:
        "../../envs/pniflow.yaml"
    params:
        gene_set=lookup(dpath="expression/ctra/gene_set", within=config),
        baseline=next(iter(study["sessions"])),
        parts=switch("parts", config["expression"]["ctra"]["parts"]),
        variant=lookup(dpath="expression/ctra/variant", within=config),
        code=code_digest("expression.score_ctra", known),
    message:
        "CTRA score of each blood sample: {params.gene_set}, {params.variant}"
    shell:
        f"{PNIFLOW} score-ctra"
        " --expression {input.expression:q} --normalization {input.normalization:q}"
        " --samples {input.samples:q} --participants {input.participants:q}"
        " --sessions {input.sessions:q} --gene-set {params.gene_set} --variant {params.variant} --baseline {params.baseline}"
        "{params.parts}"
        " --scores {output.scores:q} --genes {output.genes:q} 2> {log:q}"


rule assess_samples:
    input:
        levels="<results>/expression/levels.parquet",
        expression="<results>/expression/normalized.parquet",
        samples="<results>/study/samples.tsv",
        participants="<results>/study/participants.tsv",
        sessions="<results>/study/sessions.tsv",
        knowledge=(
            known := reads(
                f"levels samples participants sessions sample_quality genes/reference11 genes/sample_checks lane_checks genes/lane_checks {GENE_MAP}"
            )
        ),
    output:
        quality=report(
            "<results>/expression/sample_quality.tsv",
            category="Tables",
            caption="../report/sample_quality.rst",
            labels={"table": "Quality of the blood samples"},
        ),
    log:
        "<logs>/assess_samples.log",
    benchmark:
        "<benchmarks>/assess_samples.jsonl"
    group:
        together("tables")
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("expression.assess_samples", known),
    message:
        "Quality and identity of each blood sample: flags, none is dropped"
    shell:
        f"{PNIFLOW} assess-samples"
        " --levels {input.levels:q} --expression {input.expression:q}"
        " --samples {input.samples:q} --participants {input.participants:q}"
        " --sessions {input.sessions:q} --out {output.quality:q} 2> {log:q}"


include: "genes.smk"
