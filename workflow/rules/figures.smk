# Figures: one rule for each row of the gallery draws one figure and writes what it shows (caption, alt text, n, keys).


for figure in drawn(MODALITIES):

    rule:
        name:
            f"plot_{figure.name}"
        input:
            **placed(figure.reads),
            study=plan.study_file,
            knowledge=(
                known := reads("study", contracts(figure.reads), figure.resources)
            ),
        output:
            figure=report(
                f"<results>/figures/{figure.name}.svg",
                category="Figures",
                caption="../report/figure.rst",
                labels={"figure": figure.title},
            ),
            image=f"<results>/figures/{figure.name}.png",
            description=f"<results>/figures/{figure.name}.json",
        log:
            f"<logs>/plot_{figure.name}.log",
        benchmark:
            f"<benchmarks>/plot_{figure.name}.jsonl"
        group:
            together("results")
        conda:
            "../../envs/pniflow.yaml"
        params:
            command=f"plot-{figure.name.replace('_', '-')}",
            tables=options_of(figure.reads),
            caption=figure.caption.format(**config["expression"]["ctra"]),
            code=code_digest(f"figures.plot_{figure.name}", known),
        message:
            f"Figure: {figure.title}"
        shell:
            # Written when the job runs, after the loop: what differs by figure is a parameter.
            f"{PNIFLOW} {{params.command}}"
            "{params.tables} --study {input.study:q}"
            " --figure {output.figure:q} --image {output.image:q} --description {output.description:q}"
            " 2> {log:q}"
