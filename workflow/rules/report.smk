# The report, as a page and on paper, which a reviewer can trace down to each number.

REPORTED = read_by("render_report", MODALITIES)


rule render_report:
    input:
        **placed(REPORTED),
        study=plan.study_file,
        models=plan.models_file,
        figures=[
            f"<results>/figures/{figure.name}.json" for figure in drawn(MODALITIES)
        ],
        behind=placed(FITTED).values(),
        knowledge=(
            known := reads(
                contracts(REPORTED),
                "study models labels/* instruments/* checklists/* references/references",
                PUBLISHED,
            )
        ),
    output:
        page=report(
            "<results>/report/report.html",
            category="Report",
            caption="../report/report.rst",
            labels={"form": "One page, traceable"},
        ),
        paper=report(
            "<results>/report/report.pdf",
            category="Report",
            caption="../report/report.rst",
            labels={"form": "On paper (PDF)"},
        ),
        references="<results>/report/references.bib",
    log:
        "<logs>/render_report.log",
    benchmark:
        "<benchmarks>/render_report.jsonl"
    group:
        together("results")
    conda:
        "../../envs/pniflow.yaml"
    params:
        score=CTRA_SCORE,
        published=words("--published", config["report"]["published"]),
        code=code_digest("report", known),
    message:
        "Report"
    shell:
        f"{PNIFLOW} render-report"
        " --study {input.study:q} --models {input.models:q}"
        f"{flags(REPORTED)} {{params.score}}{{params.published}}"
        " --figures {input.figures:q} --behind {input.behind:q} --out {output.page:q} --pdf {output.paper:q}"
        " --references {output.references:q} 2> {log:q}"


# The headline of a report that this run made.
onsuccess:
    page = rules.render_report.output.page
    if os.path.exists(page) and os.path.getmtime(page) >= STARTED:
        results, about = os.path.dirname(os.path.dirname(page)), plan.study_file
        shell(
            f"{PNIFLOW} summarize-results --results {{results:q}} --study {{about:q}}"
        )
