# A simulated study instead of a real one: the files a lab would hold, and the truth behind them.


rule simulate_study:
    input:
        models=os.path.relpath(shipped_models_file()),
        knowledge=(known := reads("models demo/facets demo/genes demo/regions")),
    output:
        export="<results>/raw/redcap/export.csv",
        dictionary="<results>/raw/redcap/dictionary.csv",
        cortisol="<results>/raw/assays/hair_cortisol.csv",
        counts="<results>/raw/rna/counts.tsv.gz",
        samples="<results>/raw/rna/samples.tsv",
        scans=directory("<results>/raw/cat12"),
        lesions=directory("<results>/raw/lst_ai"),
        truth="<results>/raw/truth.json",
        descriptions=collect(
            "<results>/raw/{name}.yaml", name=["config", "study", "models"]
        ),
    log:
        "<logs>/simulate_study.log",
    benchmark:
        "<benchmarks>/simulate_study.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        participants=lookup(dpath="simulate/participants", within=config),
        seed=lookup(dpath="simulate/seed", within=config),
        sign_pattern=lookup(dpath="simulate/sign_pattern", within=config),
        null=switch("null", config["simulate"]["null_effects"]),
        out=subpath(output.truth, parent=True),
        code=code_digest("demo.simulate_study", known),
    message:
        "Simulated study of {params.participants} participants, seed {params.seed}"
    shell:
        f"{PNIFLOW} simulate-study"
        " --participants {params.participants} --seed {params.seed}"
        " --sign-pattern {params.sign_pattern}{params.null} --out {params.out:q} 2> {log:q}"
