# MRI: how the raw images were measured.


rule ingest_protocol:
    input:
        study=plan.study_file,
        folder=raw["images.folder"],
        knowledge=(known := reads("study protocol")),
    output:
        protocol="<results>/cat12/protocol.tsv",
    log:
        "<logs>/ingest_protocol.log",
    benchmark:
        "<benchmarks>/ingest_protocol.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        digest=digest("images.folder"),
        code=code_digest("imaging.ingest_protocol", known),
    message:
        "Protocol of each T1w and FLAIR image"
    shell:
        f"{PNIFLOW} ingest-protocol"
        f" --folder {word(plan.raw['images.folder'])}"
        " --study {input.study:q} --protocol {output.protocol:q} 2> {log:q}"
