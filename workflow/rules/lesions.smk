# MRI: lesion load.
LESIONS = "lesions.folder" if "folder" in study["lesions"] else "lesions.file"


rule ingest_lesions:
    input:
        study=plan.study_file,
        folder=raw[LESIONS],
        knowledge=(known := reads("study lesions atlases/ranges")),
    output:
        lesions="<results>/cat12/lesions.tsv",
    log:
        "<logs>/ingest_lesions.log",
    benchmark:
        "<benchmarks>/ingest_lesions.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        digest=digest(LESIONS),
        code=code_digest("imaging.ingest_lesions", known),
    message:
        "Lesion load of each scan"
    shell:
        f"{PNIFLOW} ingest-lesions"
        f" --folder {word(plan.raw[LESIONS])}"
        " --study {input.study:q} --lesions {output.lesions:q} 2> {log:q}"
