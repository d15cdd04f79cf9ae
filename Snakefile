# The front door: the same plan as workflow/Snakefile, so that plain `snakemake` works in the clone.
include: "workflow/Snakefile"


workflow.default_target = "all"
