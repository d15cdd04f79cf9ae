# Figures: each rule draws one figure and writes what it shows (caption, alt text, n, keys of the estimates).


rule plot_flow:
    input:
        flow="<results>/cohort/flow.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/flow.svg",
            category="Figures",
            caption="../report/flow.rst",
            labels={"figure": "Flow of participants"},
        ),
        image="<results>/figures/flow.png",
        description="<results>/figures/flow.json",
    log:
        "<logs>/plot_flow.log",
    benchmark:
        "<benchmarks>/plot_flow.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_flow"),
    message:
        "Figure: flow of participants"
    shell:
        "pniflow plot-flow --flow {input.flow} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


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
            labels={"figure": "Change of each measure, person by person"},
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
        code=code_digest("figures.plot_paired_change"),
    message:
        "Figure: change of each measure, person by person"
    shell:
        "pniflow plot-paired-change --measures {input.measures} --estimates {input.estimates} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


rule plot_standardized_change:
    input:
        estimates="<results>/models/estimates.tsv",
        diagnostics="<results>/models/diagnostics.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/standardized_change.svg",
            category="Figures",
            caption="../report/standardized_change.rst",
            labels={"figure": "Change of all measures on one scale"},
        ),
        image="<results>/figures/standardized_change.png",
        description="<results>/figures/standardized_change.json",
    log:
        "<logs>/plot_standardized_change.log",
    benchmark:
        "<benchmarks>/plot_standardized_change.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_standardized_change"),
    message:
        "Figure: change of all measures on one scale"
    shell:
        "pniflow plot-standardized-change --estimates {input.estimates} --diagnostics {input.diagnostics} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


rule plot_quality:
    input:
        measures="<results>/cohort/measures.parquet",
        participants="<results>/cohort/participants.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/quality.svg",
            category="Figures",
            caption="../report/quality.rst",
            labels={"figure": "Quality of scans, samples and questionnaires"},
        ),
        image="<results>/figures/quality.png",
        description="<results>/figures/quality.json",
    log:
        "<logs>/plot_quality.log",
    benchmark:
        "<benchmarks>/plot_quality.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_quality"),
    message:
        "Figure: quality of scans, samples and questionnaires"
    shell:
        "pniflow plot-quality --measures {input.measures} --participants {input.participants} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


rule plot_power:
    input:
        design="<results>/models/design.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/power.svg",
            category="Figures",
            caption="../report/power.rst",
            labels={"figure": "Power and type-I error of this design"},
        ),
        image="<results>/figures/power.png",
        description="<results>/figures/power.json",
    log:
        "<logs>/plot_power.log",
    benchmark:
        "<benchmarks>/plot_power.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_power"),
    message:
        "Figure: power and type-I error of this design"
    shell:
        "pniflow plot-power --design {input.design} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


if "expression" in study:

    rule plot_samples:
        input:
            quality="<results>/expression/sample_quality.tsv",
            study=plan.study_file,
        output:
            figure=report(
                "<results>/figures/samples.svg",
                category="Figures",
                caption="../report/samples.rst",
                labels={"figure": "Quality of the blood samples"},
            ),
            image="<results>/figures/samples.png",
            description="<results>/figures/samples.json",
        log:
            "<logs>/plot_samples.log",
        benchmark:
            "<benchmarks>/plot_samples.jsonl"
        conda:
            "../../envs/pniflow.yaml"
        params:
            code=code_digest("figures.plot_samples"),
        message:
            "Figure: quality of the blood samples"
        shell:
            "pniflow plot-samples --quality {input.quality} --study {input.study}"
            " --figure {output.figure} --image {output.image}"
            " --description {output.description}"
            f"{RESOURCES} 2> {{log}}"

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
                labels={"figure": "CTRA genes by person and session"},
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
            code=code_digest("figures.plot_ctra_heatmap"),
        message:
            "Figure: CTRA genes by person and session"
        shell:
            "pniflow plot-ctra-heatmap --expression {input.expression} --samples {input.samples} --scores {input.scores} --genes {input.genes} --study {input.study}"
            " --figure {output.figure} --image {output.image}"
            " --description {output.description}"
            f"{RESOURCES} 2> {{log}}"


rule plot_associations:
    input:
        measures="<results>/cohort/measures.parquet",
        estimates="<results>/models/estimates.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/associations.svg",
            category="Figures",
            caption="../report/associations.rst",
            labels={"figure": "Forest of associations, within and between persons"},
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
        code=code_digest("figures.plot_associations"),
    message:
        "Figure: forest of associations, within and between persons"
    shell:
        "pniflow plot-associations --estimates {input.estimates} --measures {input.measures} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


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
                labels={"figure": "Brain regions by hemisphere"},
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
            code=code_digest("figures.plot_regions"),
        message:
            "Figure: brain regions by hemisphere"
        shell:
            "pniflow plot-regions --measures {input.measures} --estimates {input.estimates} --study {input.study}"
            " --figure {output.figure} --image {output.image}"
            " --description {output.description}"
            f"{RESOURCES} 2> {{log}}"


rule plot_windows:
    input:
        windows="<results>/study/windows.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/windows.svg",
            category="Figures",
            caption="../report/windows.rst",
            labels={"figure": "What each measure looks back on"},
        ),
        image="<results>/figures/windows.png",
        description="<results>/figures/windows.json",
    log:
        "<logs>/plot_windows.log",
    benchmark:
        "<benchmarks>/plot_windows.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_windows"),
    message:
        "Figure: what each measure looks back on"
    shell:
        "pniflow plot-windows --windows {input.windows} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


rule plot_influence:
    input:
        sensitivity="<results>/models/sensitivity.tsv",
        estimates="<results>/models/estimates.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/influence.svg",
            category="Figures",
            caption="../report/influence.rst",
            labels={"figure": "Influence of single participants"},
        ),
        image="<results>/figures/influence.png",
        description="<results>/figures/influence.json",
    log:
        "<logs>/plot_influence.log",
    benchmark:
        "<benchmarks>/plot_influence.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_influence"),
    message:
        "Figure: influence of single participants"
    shell:
        "pniflow plot-influence --sensitivity {input.sensitivity} --estimates {input.estimates} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


if "expression" in study:

    rule plot_ctra_components:
        input:
            measures="<results>/cohort/measures.parquet",
            estimates="<results>/models/estimates.tsv",
            study=plan.study_file,
        output:
            figure=report(
                "<results>/figures/ctra_components.svg",
                category="Figures",
                caption="../report/ctra_components.rst",
                labels={"figure": "CTRA score and components by session"},
            ),
            image="<results>/figures/ctra_components.png",
            description="<results>/figures/ctra_components.json",
        log:
            "<logs>/plot_ctra_components.log",
        benchmark:
            "<benchmarks>/plot_ctra_components.jsonl"
        conda:
            "../../envs/pniflow.yaml"
        params:
            code=code_digest("figures.plot_ctra_components"),
        message:
            "Figure: CTRA score and components by session"
        shell:
            "pniflow plot-ctra-components --measures {input.measures} --estimates {input.estimates} --study {input.study}"
            " --figure {output.figure} --image {output.image}"
            " --description {output.description}"
            f"{RESOURCES} 2> {{log}}"


if "expression" in study:

    rule plot_gene_forest:
        input:
            genes="<results>/models/gene_estimates.tsv",
            study=plan.study_file,
        output:
            figure=report(
                "<results>/figures/gene_forest.svg",
                category="Figures",
                caption="../report/gene_forest.rst",
                labels={"figure": "Estimates gene by gene"},
            ),
            image="<results>/figures/gene_forest.png",
            description="<results>/figures/gene_forest.json",
        log:
            "<logs>/plot_gene_forest.log",
        benchmark:
            "<benchmarks>/plot_gene_forest.jsonl"
        conda:
            "../../envs/pniflow.yaml"
        params:
            code=code_digest("figures.plot_gene_forest"),
        message:
            "Figure: estimates gene by gene"
        shell:
            "pniflow plot-gene-forest --genes {input.genes} --study {input.study}"
            " --figure {output.figure} --image {output.image}"
            " --description {output.description}"
            f"{RESOURCES} 2> {{log}}"


rule plot_specification_curve:
    input:
        sensitivity="<results>/models/sensitivity.tsv",
        estimates="<results>/models/estimates.tsv",
        measures="<results>/cohort/measures.parquet",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/specification_curve.svg",
            category="Figures",
            caption="../report/specification_curve.rst",
            labels={"figure": "Main estimates under every declared choice"},
        ),
        image="<results>/figures/specification_curve.png",
        description="<results>/figures/specification_curve.json",
    log:
        "<logs>/plot_specification_curve.log",
    benchmark:
        "<benchmarks>/plot_specification_curve.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_specification_curve"),
    message:
        "Figure: main estimates under every declared choice"
    shell:
        "pniflow plot-specification-curve --sensitivity {input.sensitivity} --estimates {input.estimates} --measures {input.measures} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"


rule plot_slopes:
    input:
        measures="<results>/cohort/measures.parquet",
        estimates="<results>/models/estimates.tsv",
        study=plan.study_file,
    output:
        figure=report(
            "<results>/figures/slopes.svg",
            category="Figures",
            caption="../report/slopes.rst",
            labels={"figure": "Associations, person by person"},
        ),
        image="<results>/figures/slopes.png",
        description="<results>/figures/slopes.json",
    log:
        "<logs>/plot_slopes.log",
    benchmark:
        "<benchmarks>/plot_slopes.jsonl"
    conda:
        "../../envs/pniflow.yaml"
    params:
        code=code_digest("figures.plot_slopes"),
    message:
        "Figure: associations, person by person"
    shell:
        "pniflow plot-slopes --measures {input.measures} --estimates {input.estimates} --study {input.study}"
        " --figure {output.figure} --image {output.image}"
        " --description {output.description}"
        f"{RESOURCES} 2> {{log}}"
