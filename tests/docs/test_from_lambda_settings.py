"""The page for those who come from the Lambda loader has a line for each of its settings and tools."""

import re
import runpy

from support.checkout import CHECKOUT

from rsloader_provider.core.load_file.catalog import settings

DOCS = CHECKOUT / "docs"
PAGE = (DOCS / "from-lambda-settings.md").read_text()
OURS = [row.split(" | ")[1] for row in PAGE.splitlines() if row.startswith("| ")]
NAMES = """
s3Prefix filenameFilterRegex batchSize batchSizeBytes batchTimeoutSecs dataFormat csvDelimiter ignoreCsvHeader
jsonPath compression copyOptions accessKeyForS3 secretKeyForS3 masterSymmetricKey manifestBucket manifestKey
failedManifestKey successTopicARN failureTopicARN clusterEndpoint clusterPort clusterDB connectUser
connectPassword useSSL targetTable columnList truncateTarget presql postsql setup.js setup-file.js
addAdditionalClusterEndpoint.js updateConfig.js queryBatches.js describeBatch.js reprocessBatch.js
unlockBatch.js resetCurrentBatch.js deleteBatch.js deleteBatches.js processedFiles.js encryptValue.js
createS3TriggerFile.js generate-trigger-file.py failedBatchReprocessingLambda.js cliBatchOperations.sh
AWS_REGION DEBUG LOG_LEVEL SuppressFailureStatusOnSuccessfulNotification SuppressWildcardExpansionPrefixList
CLUSTER_SSL_CERT_S3_PATH https_proxy
"""


def test_every_line_has_three_columns() -> None:
    """A setting, ours, and a remark, be it empty."""
    rows = [row for row in PAGE.splitlines() if row.startswith("|")]
    assert {row.count("|") for row in rows} == {4}
    assert all(ours.strip() for ours in OURS)


def test_the_settings_and_tools_that_it_must_map_are_there() -> None:
    """Names of the Lambda loader's own configuration items, files and variables."""
    for name in NAMES.split():
        assert re.search(rf"^\| .*`{re.escape(name)}[` ].* \| .+ \| .*\|$", PAGE, re.MULTILINE), name


def test_every_setting_and_command_that_it_names_is_one() -> None:
    """Somebody copies it into a load file, or types it."""
    sections = "|".join({each.section.removesuffix("[]") for each in settings().values() if each.section})
    commands = [each.name for each in runpy.run_path(str(DOCS / "generate.py"))["commands"]()]
    named = [name for cell in OURS for name in re.findall(rf"`((?:{sections})(?:\[\])?\.\w+)", cell)]
    typed = re.findall(r"`(rsloader (?:local )?[a-z-]+)", PAGE)
    assert [name for name in named if name not in settings()] == []
    assert [name for name in typed if name not in commands] == []
