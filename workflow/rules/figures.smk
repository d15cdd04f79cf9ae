# Figures: each rule draws one figure and writes what it shows (caption, alt text, n, keys of the estimates).


rule plot_paired_change:
    input:
        measures="<results>/cohort/measures.parquet",
        estimates="<results>/models/estimates.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/paired_change.svg",
            category="Figures",
            caption="../report/paired_change.rst",
        ),
        image="<results>/figures/paired_change.png",
        description="<results>/figures/paired_change.json",
    log:
        "<logs>/plot_paired_change.log",
    benchmark:
        "<benchmarks>/plot_paired_change.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures"),
    message:
        "Figure: change of each measure, person by person"
    shell:
        "pniflow plot-paired-change --measures {input.measures} --estimates {input.estimates} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description} 2> {log}"


if "expression" in study:

    rule plot_ctra_heatmap:
        input:
            expression="<results>/expression/normalized.parquet",
            samples="<results>/study/samples.tsv",
            scores="<results>/expression/ctra_scores.tsv",
            genes="<results>/expression/ctra_genes.tsv",
            study=plan.study_file,
        output:
            figure=report(
                "<results>/figures/ctra_heatmap.svg",
                category="Figures",
                caption="../report/ctra_heatmap.rst",
            ),
            image="<results>/figures/ctra_heatmap.png",
            description="<results>/figures/ctra_heatmap.json",
        log:
            "<logs>/plot_ctra_heatmap.log",
        benchmark:
            "<benchmarks>/plot_ctra_heatmap.jsonl"
        conda:
            "../../envs/pniflow.yaml"
        params:
            code=code_digest("figures"),
        message:
            "Figure: CTRA genes by person and session"
        shell:
            "pniflow plot-ctra-heatmap --expression {input.expression} --samples {input.samples} --scores {input.scores} --genes {input.genes} --study {input.study}"
            " --figure {output.figure} --image {output.image}"
            " --description {output.description} 2> {log}"


rule plot_associations:
    input:
        estimates="<results>/models/estimates.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/associations.svg",
            category="Figures",
            caption="../report/associations.rst",
        ),
        image="<results>/figures/associations.png",
        description="<results>/figures/associations.json",
    log:
        "<logs>/plot_associations.log",
    benchmark:
        "<benchmarks>/plot_associations.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures"),
    message:
        "Figure: forest of associations, within and between persons"
    shell:
        "pniflow plot-associations --estimates {input.estimates} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description} 2> {log}"


if "cat12" in study:

    rule plot_regions:
        input:
            measures="<results>/cohort/measures.parquet",
            estimates="<results>/models/estimates.tsv",
            study=plan.study_file,
        output:
            figure=report(
                "<results>/figures/regions.svg",
                category="Figures",
                caption="../report/regions.rst",
            ),
            image="<results>/figures/regions.png",
            description="<results>/figures/regions.json",
        log:
            "<logs>/plot_regions.log",
        benchmark:
            "<benchmarks>/plot_regions.jsonl"
        conda:
            "../../envs/pniflow.yaml"
        params:
            code=code_digest("figures"),
        message:
            "Figure: brain regions by hemisphere"
        shell:
            "pniflow plot-regions --measures {input.measures} --estimates {input.estimates} --study {input.study}"
            " --figure {output.figure} --image {output.image}"
            " --description {output.description} 2> {log}"
