# What all rules share: the checked config, the study, where its raw files are, and how commands are found.
import shlex
import sys
import time

STARTED = time.time()
LIBRARY = os.path.abspath(os.path.join(workflow.current_basedir, ".."))
sys.path.insert(0, LIBRARY)

from pniflow.errors import InputError
from pniflow.plan import code_digest, folder_digest, read_plan, shell_prefix

try:
    plan = read_plan(config, workflow.configfiles[-1])
except InputError as error:
    raise SystemExit(str(error))

config.update(plan.config)


# A dry run works without the data, a run does not.
onstart:
    try:
        plan.require_raw()
    except InputError as error:
        raise SystemExit(str(error))


study = plan.study
raw = plan.tracked()

# The running interpreter's own programs come first, unless an environment is deployed; the library is this clone's.
shell.prefix(
    shell_prefix(LIBRARY, deployed=bool(workflow.deployment_settings.deployment_method))
)

# The tables of the branches that this study has; the cohort is assembled from them.
COHORT_TABLES = {}
if config["questionnaires"]["instruments"]:
    COHORT_TABLES["scales"] = "<results>/questionnaires/scales.tsv"
if study["assays"]:
    COHORT_TABLES["assays"] = "<results>/assays/assay_scores.tsv"
if "expression" in study:
    COHORT_TABLES["samples"] = "<results>/study/samples.tsv"
    COHORT_TABLES["ctra"] = "<results>/expression/ctra_scores.tsv"
if "cat12" in study:
    COHORT_TABLES["scans"] = "<results>/cat12/scans.tsv"
    COHORT_TABLES["regions"] = "<results>/cat12/regions.parquet"
    COHORT_TABLES["globals"] = "<results>/cat12/globals.tsv"
    COHORT_TABLES["quality"] = "<results>/cat12/quality.tsv"
if "freesurfer" in study:
    COHORT_TABLES["freesurfer"] = "<results>/cat12/freesurfer.parquet"
if "images" in study:
    COHORT_TABLES["protocol"] = "<results>/cat12/protocol.tsv"
if "lesions" in study:
    COHORT_TABLES["lesions"] = "<results>/cat12/lesions.tsv"

# What some sensitivity analyses need beside the measures.
MODEL_TABLES = {
    name: path
    for name, path in COHORT_TABLES.items()
    if name in ("scales", "assays", "samples")
}

# What is written for people and the report, and no later step needs.
FURTHER_TABLES = ["<results>/models/design.tsv"]
if "expression" in study:
    FURTHER_TABLES += [
        "<results>/expression/sample_quality.tsv",
        "<results>/models/over_genes.tsv",
        "<results>/models/gene_estimates.tsv",
    ]

SURFACES = "surfaces" in study.get("cat12", {})
if SURFACES:
    FURTHER_TABLES += [
        "<results>/models/surfaces/peaks.tsv",
        "<results>/models/surfaces/clusters.tsv",
    ]
VOXELS = "voxels" in study.get("cat12", {})
if VOXELS:
    FURTHER_TABLES += [
        "<results>/models/voxels/peaks.tsv",
        "<results>/models/voxels/clusters.tsv",
    ]

# What the report shows beside the estimates: each name is a flag of render-report (sample_quality, over_genes, ...).
REPORT_TABLES = {
    "course": "<results>/cohort/course.tsv",
    "inclusion": "<results>/cohort/inclusion.tsv",
    "flags": "<results>/cohort/flags.tsv",
    "dictionary": "<results>/cohort/dictionary.tsv",
    "windows": "<results>/study/windows.tsv",
    "design": "<results>/models/design.tsv",
}
if config["questionnaires"]["instruments"]:
    REPORT_TABLES["scales"] = "<results>/questionnaires/scales.tsv"
    REPORT_TABLES["reliability"] = "<results>/questionnaires/reliability.tsv"
if "expression" in study:
    REPORT_TABLES["genes"] = "<results>/expression/ctra_genes.tsv"
    REPORT_TABLES["normalization"] = "<results>/expression/normalization.json"
    REPORT_TABLES["sample_quality"] = "<results>/expression/sample_quality.tsv"
    REPORT_TABLES["over_genes"] = "<results>/models/over_genes.tsv"
    REPORT_TABLES["gene_estimates"] = "<results>/models/gene_estimates.tsv"
if "cat12" in study:
    REPORT_TABLES["globals"] = "<results>/cat12/globals.tsv"
    REPORT_TABLES["quality"] = "<results>/cat12/quality.tsv"
if SURFACES:
    REPORT_TABLES["peaks"] = "<results>/models/surfaces/peaks.tsv"
    REPORT_TABLES["clusters"] = "<results>/models/surfaces/clusters.tsv"
if VOXELS:
    REPORT_TABLES["voxel_peaks"] = "<results>/models/voxels/peaks.tsv"
    REPORT_TABLES["voxel_clusters"] = "<results>/models/voxels/clusters.tsv"
if "freesurfer" in study:
    REPORT_TABLES["freesurfer"] = "<results>/cat12/freesurfer.parquet"
if "images" in study:
    REPORT_TABLES["protocol"] = "<results>/cat12/protocol.tsv"
# What the report says of the score of each blood sample.
CTRA_SCORE = (
    "--gene-set {gene_set} --variant {variant}".format(**config["expression"]["ctra"])
    if "expression" in study
    else ""
)


def flags(names):
    """Write the command-line flags of named inputs: ` --scales {input.scales}`."""
    return "".join(f" --{name.replace('_', '-')} {{input.{name}}}" for name in names)


def word(path):
    """Write a path as one word of a shell command, braces kept from Snakemake's formatting."""
    return shlex.quote(path).replace("{", "{{").replace("}", "}}")


def words(name, values):
    """Write a flag with its values, each one word of the shell command; nothing without values."""
    return f" {name} {shlex.join(values)}" if values else ""


def switch(name, on):
    """Write a flag that is either there or not."""
    return f" --{name}" if on else ""


def digest(key):
    """Return a digest of a raw folder's files, so that new ones rerun what reads them; none where simulated."""
    return "" if config["simulate"] else folder_digest(plan.raw[key])


RESOURCES = f" --resources {word(config['resources'])}" if config["resources"] else ""
RECORDS = [
    path
    for key, path in raw.items()
    if key.split(".")[0] in ("redcap", "participants", "tables", "bids", "assays")
]
RECORDS += [raw["expression.samples"]] if "expression" in study else []
BATCHES = range(1, config["cat12"]["batches"] + 1)
FIGURES = [
    "flow",
    "paired_change",
    "standardized_change",
    "slopes",
    "associations",
    "power",
]
FIGURES += ["quality", "windows", "influence", "specification_curve"]
if "expression" in study:
    FIGURES += ["ctra_components", "samples", "ctra_heatmap", "gene_forest"]
FIGURES += ["regions"] if "cat12" in study else []
FIGURES += ["surface"] if SURFACES else []
