# MRI: grey matter by the regions of a label image of the study's own.


rule summarize_labels:
    input:
        folder=raw["cat12.folder"],
        image=raw["cat12.labels.image"],
        table=raw["cat12.labels.table"],
        scans="<results>/cat12/scans.tsv",
        quality="<results>/cat12/quality.tsv",
        knowledge=(
            known := reads(
                "scans quality regions atlases/*",
                but="atlases/groups atlases/test_retest atlases/freesurfer_*",
            )
        ),
    output:
        regions="<results>/cat12/label_regions.parquet",
    log:
        "<logs>/summarize_labels.log",
    benchmark:
        "<benchmarks>/summarize_labels.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        atlas=lookup(dpath="cat12/labels/atlas", within=study),
        prefix=lookup(dpath="cat12/labels/prefix", within=study),
        digest=digest("cat12.folder"),
        code=code_digest("imaging.cat12.summarize_labels", known),
    message:
        "Grey matter by the regions of {params.atlas}"
    shell:
        f"{PNIFLOW} summarize-labels"
        f" --folder {word(plan.raw['cat12.folder'])}"
        f" --image {word(plan.raw['cat12.labels.image'])} --table {word(plan.raw['cat12.labels.table'])}"
        " --atlas {params.atlas} --prefix {params.prefix}"
        " --scans {input.scans:q} --quality {input.quality:q} --regions {output.regions:q} 2> {log:q}"
