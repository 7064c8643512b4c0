"""Tells Airflow what this provider has."""

from typing import Any

from rsloader_provider import __version__


def get_provider_info() -> dict[str, Any]:
    """Describe the provider, as Airflow's `provider_info.schema.json` wants it."""
    return {
        "package-name": "airflow-provider-rsloader",
        "name": "rsloader",
        "description": "Loads files from S3 into Amazon Redshift, every object exactly once.",
        "versions": [__version__],
        "config": {
            "rsloader": {
                "description": "Settings of the S3-to-Redshift loader.",
                "options": {
                    "loads_folder": {
                        "description": "Folder of the load files. Default: `loads` beside the DAG file.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/opt/airflow/loads",
                        "default": "",
                    },
                    "operations_dag": {
                        "description": "Whether load_dags also makes the DAG rsloader_operations, a form with which "
                        "people operate the loads.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": "False",
                        "default": "True",
                    },
                    "dynamodb_table_prefix": {
                        "description": "What the names of the DynamoDB tables begin with. Installations that share an "
                        "account differ in it.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "rsloader_staging_",
                        "default": "rsloader_",
                    },
                },
            }
        },
    }
