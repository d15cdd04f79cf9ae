# MRI, vertex by vertex: surfaces of all scans in one array, models over the whole map, their figure.


rule gather_surfaces:
    input:
        folder=raw["cat12.folder"],
        scans="<results>/cat12/scans.tsv",
        quality="<results>/cat12/quality.tsv",
        knowledge=(known := reads("scans quality surfaces atlases/ranges")),
    output:
        surfaces="<results>/cat12/surfaces.npy",
        index="<results>/cat12/surfaces.tsv",
        triangles="<results>/cat12/surfaces_mesh.npy",
    log:
        "<logs>/gather_surfaces.log",
    benchmark:
        "<benchmarks>/gather_surfaces.jsonl"
    group:
        together("imaging")
    conda:
        "../../envs/pniflow.yaml"
    params:
        measure=lookup(dpath="cat12/surfaces/measure", within=study),
        mesh=lookup(dpath="cat12/surfaces/mesh", within=study),
        smoothing=lookup(dpath="cat12/surfaces/smoothing", within=study),
        digest=digest("cat12.folder"),
        code=code_digest("imaging.cat12.gather_surfaces", known),
    message:
        "Surfaces of all scans: {params.measure}, {params.mesh} mesh"
    shell:
        f"{PNIFLOW} gather-surfaces"
        f" --folder {word(plan.raw['cat12.folder'])}"
        " --scans {input.scans:q} --quality {input.quality:q}"
        " --measure {params.measure} --mesh {params.mesh} --smoothing {params.smoothing}"
        " --surfaces {output.surfaces:q} --index {output.index:q} --triangles {output.triangles:q} 2> {log:q}"


rule fit_surface:
    input:
        surfaces="<results>/cat12/surfaces.npy",
        index="<results>/cat12/surfaces.tsv",
        triangles="<results>/cat12/surfaces_mesh.npy",
        measures="<results>/cohort/measures.parquet",
        participants="<results>/cohort/participants.tsv",
        exclusions="<results>/cohort/exclusions.tsv",
        models=plan.models_file,
        knowledge=(
            known := reads(
                f"measures participants exclusions surfaces peaks clusters labels/atlases {PLANNED}"
            )
        ),
    output:
        maps=directory("<results>/models/surfaces/maps"),
        peaks=report(
            "<results>/models/surfaces/peaks.tsv",
            category="Tables",
            caption="../report/peaks.rst",
            labels={"table": "Peaks over the cortical surface"},
        ),
        clusters=report(
            "<results>/models/surfaces/clusters.tsv",
            category="Tables",
            caption="../report/clusters.rst",
            labels={"table": "Clusters over the cortical surface"},
        ),
    log:
        "<logs>/fit_surface.log",
    benchmark:
        "<benchmarks>/fit_surface.jsonl"
    group:
        together("results")
    conda:
        "../../envs/pniflow.yaml"
    threads: 4
    params:
        measure=lookup(dpath="cat12/surfaces/measure", within=study),
        permutations=lookup(dpath="maps/permutations", within=config),
        code=code_digest("maps.fit_surface", known),
    message:
        "Models at every vertex: {params.measure}, {params.permutations} permutations"
    shell:
        f"{PNIFLOW} fit-surface"
        " --surfaces {input.surfaces:q} --index {input.index:q} --triangles {input.triangles:q}"
        " --measures {input.measures:q} --participants {input.participants:q} --exclusions {input.exclusions:q}"
        " --models {input.models:q} --measure {params.measure} --permutations {params.permutations}"
        " --threads {threads}"
        " --maps {output.maps:q} --peaks {output.peaks:q} --clusters {output.clusters:q} 2> {log:q}"
