# MRI: lesion load.


rule ingest_lesions:
    input:
        folder=raw["lesions.folder"],
    output:
        lesions="<results>/cat12/lesions.tsv",
    log:
        "<logs>/ingest_lesions.log",
    benchmark:
        "<benchmarks>/ingest_lesions.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        digest=digest("lesions.folder"),
        code=code_digest("cat12"),
    message:
        "Lesion load of each scan"
    shell:
        f"pniflow ingest-lesions --folder {word(plan.raw['lesions.folder'])}"
        " --lesions {output.lesions} 2> {log}"
