"""A DAG of somebody who knows nothing of us: the amazon provider's operators, one after the other."""

from typing import Any

from airflow.providers.amazon.aws.operators.redshift_data import RedshiftDataOperator
from airflow.providers.amazon.aws.operators.s3 import S3CreateObjectOperator, S3DeleteObjectsOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLExecuteQueryOperator
from airflow.sdk import DAG, task

BUCKET, KEY, TABLE = "strangers", "in/orders.csv", "strangers_orders"


@task
def compare(rows: list[tuple[int, str]], answers: list[dict[str, Any]]) -> None:
    """Fail unless both ways of reading found what was loaded."""
    assert [tuple(row) for row in rows] == [(1, "tea"), (2, "milk")], rows
    assert [answer["Records"] for answer in answers] == [[[{"longValue": 2}]]], answers


with DAG("strangers", schedule=None) as dag:
    put = S3CreateObjectOperator(task_id="put", s3_bucket=BUCKET, s3_key=KEY, data="id,name\n1,tea\n2,milk\n")
    wait = S3KeySensor(task_id="wait", bucket_name=BUCKET, bucket_key="in/*.csv", wildcard_match=True)
    create = SQLExecuteQueryOperator(
        task_id="create",
        conn_id="redshift_default",
        sql=f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (id integer, name varchar(20)) SORTKEY (id);",
        split_statements=True,
    )
    copy = S3ToRedshiftOperator(
        task_id="copy",
        schema="public",
        table=TABLE,
        s3_bucket=BUCKET,
        s3_key=KEY,
        copy_options=["CSV", "IGNOREHEADER 1"],
        method="REPLACE",
    )
    check = SQLColumnCheckOperator(
        task_id="check",
        conn_id="redshift_default",
        table=TABLE,
        column_mapping={"id": {"null_check": {"equal_to": 0}, "min": {"equal_to": 1}, "max": {"equal_to": 2}}},
    )
    read = SQLExecuteQueryOperator(
        task_id="read",
        conn_id="redshift_default",
        sql=f"SELECT id, name FROM {TABLE} WHERE id > %s ORDER BY id",
        parameters=[0],
    )
    ask = RedshiftDataOperator(
        task_id="ask",
        cluster_identifier="local",
        database="dev",
        db_user="awsuser",
        sql=f"SELECT count(*) FROM {TABLE}",
        poll_interval=1,
        return_sql_result=True,
    )
    delete = S3DeleteObjectsOperator(task_id="delete", bucket=BUCKET, keys=KEY)
    put >> wait >> create >> copy >> check >> read >> ask >> compare(read.output, ask.output) >> delete
