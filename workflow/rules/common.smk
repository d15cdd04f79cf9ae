# What all rules share: the checked config, the study, where its raw files are, and how commands are found.
import shlex
import sys
import time

STARTED = time.time()
LIBRARY = os.path.abspath(os.path.join(workflow.current_basedir, ".."))
sys.path.insert(0, LIBRARY)

from pniflow.errors import InputError
from pniflow.figures.gallery import drawn
from pniflow.modalities import MODALITIES as ALL
from pniflow.plan import (
    code_digest,
    folder_digest,
    read_plan,
    shell_prefix,
    shipped_models_file,
    word,
)
from pniflow.tables import TABLES, read_by

try:
    plan = read_plan(workflow.configfiles, workflow.config_settings.config)
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

MODALITIES = plan.modalities
# The modules that make the branches of the cohort, which no import shows.
MADE_BY = sorted(
    {
        one.made_by.partition(":")[0].removeprefix("pniflow.")
        for one in ALL
        if one.made_by
    }
)


def placed(names):
    """Return tables of the run as inputs: name -> where it lies."""
    return {name: f"<results>/{TABLES[name].path}" for name in names}


def contracts(names):
    """Return the contracts of tables as `reads` takes them."""
    return " ".join(TABLES[name].schema for name in names if not TABLES[name].about)


def flags(names):
    """Write the command-line options of tables that are inputs: ` --scales {input.scales:q}`."""
    return "".join(f" {TABLES[name].flag} {{input.{name}:q}}" for name in names)


# What the report says of the score of each blood sample.
CTRA_SCORE = (
    "--gene-set {gene_set} --variant {variant}".format(**config["expression"]["ctra"])
    if "expression" in MODALITIES
    else ""
)


def options_of(names):
    """Return what writes the options of tables once their places are known."""

    def written(wildcards, input):
        return "".join(
            f" {TABLES[name].flag} {shlex.quote(input[name])}" for name in names
        )

    return written


def together(name):
    """Return the group of short jobs on a cluster; none on a workstation, where a dry run lists jobs in order."""
    return name if workflow.resource_settings.nodes else None


def words(name, values):
    """Write a flag with its values, each one word of the shell command; nothing without values."""
    return f" {name} {shlex.join(values)}" if values else ""


def switch(name, on):
    """Write a flag that is either there or not."""
    return f" --{name}" if on else ""


def digest(key):
    """Return a digest of a raw folder's files, so that new ones rerun what reads them; none where simulated."""
    return "" if config["simulate"] else folder_digest(plan.raw[key])


def named(kind, names):
    """Write names of resources as `reads` takes them: `instruments/pss10 instruments/gad7`."""
    return " ".join(f"{kind}/{name}" for name in names)


# How every command begins: with the user's own resources where there are any.
PNIFLOW = "pniflow"
if config["resources"]:
    PNIFLOW += f" --resources {word(config['resources'])}"
# What rules read of schemas and resources, as inputs.
reads = plan.reads
ASKED = named("instruments", study["instruments"])
SCORED = named("instruments", config["questionnaires"]["instruments"])
GENE_MAP = "gene_map genes/gene_map"
GENE_SET = f"gene_set genes/{config['expression']['ctra']['gene_set']}"
PUBLISHED = named("published", config["report"]["published"])
PLANNED = "models instruments/* atlases/groups"  # names that a plan may have
RECORDS = [
    path
    for key, path in raw.items()
    if key.split(".")[0] in ("redcap", "participants", "tables", "bids", "assays")
]
RECORDS += [raw["expression.samples"]] if "expression" in MODALITIES else []
BATCHES = range(1, config["cat12"]["batches"] + 1)
