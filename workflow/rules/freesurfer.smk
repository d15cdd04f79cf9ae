# MRI: FreeSurfer's tables beside CAT12.


rule ingest_freesurfer:
    input:
        study=plan.study_file,
        folder=raw["freesurfer.folder"],
        knowledge=(known := reads("study regions atlases/freesurfer_* atlases/ranges")),
    output:
        regions="<results>/cat12/freesurfer.parquet",
    log:
        "<logs>/ingest_freesurfer.log",
    benchmark:
        "<benchmarks>/ingest_freesurfer.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        digest=digest("freesurfer.folder"),
        code=code_digest("imaging.ingest_freesurfer", known),
    message:
        "FreeSurfer's statistics, subfields and tables"
    shell:
        f"{PNIFLOW} ingest-freesurfer"
        f" --folder {word(plan.raw['freesurfer.folder'])}"
        " --study {input.study:q} --regions {output.regions:q} 2> {log:q}"
