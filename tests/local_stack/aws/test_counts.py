"""The local AWS counts requests by their operation, so that tests can hold cost to a number."""

from support.aws_fixtures import client, running_aws


def test_requests_are_counted_by_their_operation() -> None:
    with running_aws() as aws:
        dynamodb, s3, sns = client(aws, "dynamodb"), client(aws, "s3"), client(aws, "sns")
        dynamodb.list_tables()
        dynamodb.list_tables()
        s3.create_bucket(Bucket="counted")
        s3.put_object(Bucket="counted", Key="a b/c", Body=b"x")
        s3.get_object(Bucket="counted", Key="a b/c")["Body"].read()
        s3.head_object(Bucket="counted", Key="a b/c")
        s3.list_objects_v2(Bucket="counted")
        s3.delete_object(Bucket="counted", Key="a b/c")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.publish(TopicArn=topic, Message="m")
        counted = aws.requests()
        assert counted["operations"] == {
            "dynamodb": {"ListTables": 2},
            "s3": {
                "CreateBucket": 1,
                "DeleteObject": 1,
                "GetObject": 1,
                "HeadObject": 1,
                "ListObjectsV2": 1,
                "PutObject": 1,
            },
            "sns": {"CreateTopic": 1, "Publish": 1},
        }
        assert counted["total"] == 10
        aws.reset_requests()
        assert aws.requests()["total"] == 0
