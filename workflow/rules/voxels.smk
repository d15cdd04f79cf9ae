# MRI, voxel by voxel: grey-matter images of all scans in one array, models over the whole mask.


rule gather_voxels:
    input:
        folder=raw["cat12.folder"],
        scans="<results>/cat12/scans.tsv",
        quality="<results>/cat12/quality.tsv",
        knowledge=(known := reads("scans quality surfaces atlases/ranges")),
    output:
        voxels="<results>/cat12/voxels.npy",
        index="<results>/cat12/voxels.tsv",
        mask="<results>/cat12/voxels_mask.nii.gz",
    log:
        "<logs>/gather_voxels.log",
    benchmark:
        "<benchmarks>/gather_voxels.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        prefix=word(study["cat12"]["voxels"]["prefix"]),
        smoothing=lookup(dpath="cat12/voxels/smoothing", within=study),
        threshold=lookup(dpath="cat12/voxels/threshold", within=study),
        digest=digest("cat12.folder"),
        code=code_digest("imaging.cat12.gather_voxels", known),
    message:
        "Grey-matter images of all scans: {params.prefix}"
    shell:
        f"{PNIFLOW} gather-voxels"
        f" --folder {word(plan.raw['cat12.folder'])}"
        " --scans {input.scans:q} --quality {input.quality:q}"
        " --prefix {params.prefix} --smoothing {params.smoothing} --threshold {params.threshold}"
        " --voxels {output.voxels:q} --index {output.index:q} --mask {output.mask:q} 2> {log:q}"


rule fit_voxels:
    input:
        voxels="<results>/cat12/voxels.npy",
        index="<results>/cat12/voxels.tsv",
        mask="<results>/cat12/voxels_mask.nii.gz",
        measures="<results>/cohort/measures.parquet",
        participants="<results>/cohort/participants.tsv",
        exclusions="<results>/cohort/exclusions.tsv",
        models=plan.models_file,
        knowledge=(
            known := reads(
                f"measures participants exclusions surfaces peaks clusters {PLANNED}"
            )
        ),
    output:
        maps=directory("<results>/models/voxels/maps"),
        peaks="<results>/models/voxels/peaks.tsv",
        clusters="<results>/models/voxels/clusters.tsv",
    log:
        "<logs>/fit_voxels.log",
    benchmark:
        "<benchmarks>/fit_voxels.jsonl"
    group:
        together("results")
    conda:
        "../../envs/pniflow.yaml"
    threads: 4
    params:
        measure=lookup(dpath="cat12/voxels/measure", within=study),
        permutations=lookup(dpath="maps/permutations", within=config),
        code=code_digest("maps.fit_voxels", known),
    message:
        "Models at every voxel: {params.measure}, {params.permutations} permutations"
    shell:
        f"{PNIFLOW} fit-voxels"
        " --voxels {input.voxels:q} --index {input.index:q} --mask {input.mask:q}"
        " --measures {input.measures:q} --participants {input.participants:q} --exclusions {input.exclusions:q}"
        " --models {input.models:q} --measure {params.measure} --permutations {params.permutations}"
        " --threads {threads}"
        " --maps {output.maps:q} --peaks {output.peaks:q} --clusters {output.clusters:q} 2> {log:q}"
