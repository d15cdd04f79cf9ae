# MRI: from CAT12's output files to tidy tables.
SCANS = word(plan.raw["cat12.folder"])


rule index_cat12:
    input:
        study=plan.study_file,
        folder=raw["cat12.folder"],
        knowledge=(known := reads("study scans atlases/metrics atlases/ranges")),
    output:
        scans="<results>/cat12/scans.tsv",
    log:
        "<logs>/index_cat12.log",
    benchmark:
        "<benchmarks>/index_cat12.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        batches=lookup(dpath="cat12/batches", within=config),
        digest=digest("cat12.folder"),
        code=code_digest("imaging.cat12.index_cat12", known),
    message:
        "Scans, joined to participants and sessions"
    shell:
        f"{PNIFLOW} index-cat12"
        f" --folder {SCANS} --study {{input.study:q}}"
        " --batches {params.batches} --scans {output.scans:q} 2> {log:q}"


rule parse_cat12:
    input:
        folder=raw["cat12.folder"],
        scans="<results>/cat12/scans.tsv",
        knowledge=(
            known := reads(
                "scans regions globals quality atlases/*",
                but="atlases/groups atlases/test_retest atlases/freesurfer_*",
            )
        ),
    output:
        regions="<results>/cat12/batches/{batch}/regions.parquet",
        globals="<results>/cat12/batches/{batch}/globals.tsv",
        quality="<results>/cat12/batches/{batch}/quality.tsv",
    log:
        "<logs>/parse_cat12/{batch}.log",
    benchmark:
        "<benchmarks>/parse_cat12/{batch}.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        allow_failed=switch("allow-failed-files", config["cat12"]["allow_failed_files"]),
        code=code_digest("imaging.cat12.parse_cat12", known),
    message:
        "CAT12 regions, volumes and quality of batch {wildcards.batch}"
    shell:
        f"{PNIFLOW} parse-cat12"
        f" {SCANS} --scans {{input.scans:q}}"
        " --batch {wildcards.batch}{params.allow_failed}"
        " --regions {output.regions:q} --globals {output.globals:q} --quality {output.quality:q} 2> {log:q}"


rule gather_cat12:
    input:
        regions=collect(
            "<results>/cat12/batches/{batch}/regions.parquet", batch=BATCHES
        ),
        globals=collect("<results>/cat12/batches/{batch}/globals.tsv", batch=BATCHES),
        quality=collect("<results>/cat12/batches/{batch}/quality.tsv", batch=BATCHES),
        knowledge=(known := reads("regions globals quality")),
    output:
        regions="<results>/cat12/regions.parquet",
        globals="<results>/cat12/globals.tsv",
        quality="<results>/cat12/quality.tsv",
    log:
        "<logs>/gather_cat12.log",
    benchmark:
        "<benchmarks>/gather_cat12.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        out=subpath(output.globals, parent=True),
        code=code_digest("imaging.cat12.gather_cat12", known),
    message:
        "CAT12 tables of all batches"
    shell:
        f"{PNIFLOW} gather-cat12"
        " --regions {input.regions:q} --globals {input.globals:q}"
        " --quality {input.quality:q} --out {params.out:q} 2> {log:q}"
