# The report, as a page and on paper, which a reviewer can trace down to each number.


rule render_report:
    input:
        **REPORT_TABLES,
        study=plan.study_file,
        models=plan.models_file,
        estimates="<results>/models/estimates.tsv",
        sensitivity="<results>/models/sensitivity.tsv",
        diagnostics="<results>/models/diagnostics.tsv",
        measures="<results>/cohort/measures.parquet",
        participants="<results>/cohort/participants.tsv",
        flow="<results>/cohort/flow.tsv",
        exclusions="<results>/cohort/exclusions.tsv",
        table1="<results>/cohort/table1.tsv",
        figures=collect("<results>/figures/{figure}.json", figure=FIGURES),
        behind=[*MODEL_TABLES.values(), "<results>/cohort/excluded_measures.parquet"],
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
    conda:
        "../../envs/pniflow.yaml"
    params:
        score=CTRA_SCORE,
        published=words("--published", config["report"]["published"]),
        code=code_digest("report"),
    message:
        "Report"
    shell:
        "pniflow render-report --study {input.study} --models {input.models}"
        " --estimates {input.estimates} --sensitivity {input.sensitivity} --diagnostics {input.diagnostics}"
        " --measures {input.measures} --participants {input.participants}"
        " --flow {input.flow} --exclusions {input.exclusions} --table1 {input.table1}"
        f"{flags(REPORT_TABLES)}{RESOURCES} {{params.score}}{{params.published}}"
        " --figures {input.figures} --out {output.page} --pdf {output.paper}"
        " --references {output.references} 2> {log}"


# The headline of a report that this run made.
onsuccess:
    page = rules.render_report.output.page
    if os.path.exists(page) and os.path.getmtime(page) >= STARTED:
        results, about = os.path.dirname(os.path.dirname(page)), plan.study_file
        shell("pniflow summarize-results --results {results:q} --study {about:q}")
