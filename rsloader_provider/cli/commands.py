"""The commands of `rsloader`, in the order of its help: where each is defined, and what its help begins with.

The help is written here a second time, so that `rsloader --help` imports no command. A test compares it with the
docstrings.
"""

from typing import NamedTuple


class Listed(NamedTuple):
    """A command as the help lists it.

    Attributes:
        name: Where it is defined: module below `rsloader_provider.cli`, and function or group of commands in it.
        help: The first paragraph of its docstring.
    """

    name: str
    help: str


COMMANDS = {
    "setup": Listed(
        "setup:setup",
        "Create the two DynamoDB tables, and in Redshift a load history for each target table.",
    ),
    "permissions": Listed(
        "permissions:permissions",
        "Print the minimum permissions of each load: IAM policies for workers and Redshift, and Redshift's grants.",
    ),
    "validate": Listed(
        "validate:validate",
        "Check load files and print every mistake with its file, its line and what to write instead.",
    ),
    "schema": Listed(
        "schema:schema",
        "Print the JSON Schema of a load file.",
    ),
    "encrypt": Listed(
        "encrypt:encrypt",
        "Encrypt a secret for one load, and print the text that stands for it in the load's file.",
    ),
    "batches": Listed(
        "operate.look_up:batches",
        "List the batches of a load, newest first.",
    ),
    "batch": Listed(
        "operate.look_up:batch",
        "Show one batch with its targets and its files.",
    ),
    "files": Listed(
        "operate.look_up:files",
        "List the files that a load has claimed, and the batch of each.",
    ),
    "audit": Listed(
        "audit:audit",
        "Sort every object of a load by what S3, DynamoDB and Redshift say of it. Exit code 1 if anything is wrong.",
    ),
    "explain": Listed(
        "explain:explain",
        "Show which load owns an object, how far it is, and what happens next.",
    ),
    "mark-loaded": Listed(
        "operate.decide:mark_loaded",
        "Record that the rows of an undecided batch are in the table.",
    ),
    "mark-not-loaded": Listed(
        "operate.decide:mark_not_loaded",
        "Record that the rows of an undecided batch are not in the table: the next run loads them.",
    ),
    "reprocess": Listed(
        "operate.batches:reprocess",
        "Make the next run load a batch again: the whole batch, or without some objects.",
    ),
    "retarget": Listed(
        "operate.change_targets:retarget",
        "Load a batch into another target, in the place of one that its load no longer has.",
    ),
    "give-up": Listed(
        "operate.change_targets:give_up",
        "Leave one target out of a batch: no run loads the batch into it any more.",
    ),
    "close-now": Listed(
        "operate.batches:close_now",
        "Lock the open batch, so that the next run loads it without waiting for its limits.",
    ),
    "unlock": Listed(
        "operate.look_up:unlock",
        "Show who holds which locked batch. Nothing needs to be unlocked: the next run takes over unfinished batches.",
    ),
    "forget": Listed(
        "operate.objects:forget",
        "Forget objects. The next run loads those that are still in S3 as new ones, so their rows are ADDED AGAIN.",
    ),
    "reprocess-objects": Listed(
        "operate.objects:reprocess_objects",
        "Make the next run load objects again as they are now, in batches of their own. Their rows are ADDED AGAIN.",
    ),
    "backfill": Listed(
        "operate.backfill:backfill",
        "Claim all objects that are there already, and lock full batches. The next runs load these batches.",
    ),
    "delete-batches": Listed(
        "operate.batches:delete_batches",
        "Delete old complete batches, and print each as a line of JSON for `rsloader restore`.",
    ),
    "restore": Listed(
        "operate.batches:restore",
        "Put deleted batches back, without the objects that were forgotten or reprocessed since.",
    ),
    "rebuild-ledger": Listed(
        "operate.rebuild:rebuild_ledger",
        "Put batches and claims back that DynamoDB has lost, from the load histories and the manifests in S3.",
    ),
    "reconcile": Listed(
        "operate.rebuild:reconcile",
        "Make the next runs load batches again that Redshift has lost, because it was restored to an earlier moment.",
    ),
    "rename-load": Listed(
        "operate.rename:rename_load",
        "Hand over what was loaded under a load's old name to its new name.",
    ),
    "accept": Listed(
        "operate.rename:accept",
        "Let a load go on beside another one that has loaded from the same source into the same table.",
    ),
    "import-lambda": Listed(
        "import_lambda:import_lambda",
        "Move over from the Lambda loader: load files, connections, and claims of what it has loaded.",
    ),
    "shadow-report": Listed(
        "shadow_report:shadow_report",
        "Compare what a load in shadow would have loaded with what the Lambda loader has loaded since.",
    ),
    "demo": Listed(
        "demo.demo:demo",
        "Load five files into a table on a local Airflow, AWS and Redshift, and show it as it happens.",
    ),
    "new": Listed(
        "new:new",
        "Ask what a load needs and write its file, LOAD.yaml.",
    ),
    "set": Listed(
        "set_setting:set_setting",
        "Change one setting in the file of a load, and keep its comments, its order and its quotes.",
    ),
    "local": Listed("local:local_app", "AWS, Redshift and Airflow on this machine."),
}
