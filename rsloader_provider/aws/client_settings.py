"""Settings of the loader's AWS clients: how often each tries a call by itself."""

from botocore.config import Config


def client_settings(service: str) -> Config:
    """Give the settings of boto3's client of a service.

    Every request to S3 and DynamoDB may be carried out twice: the second one changes nothing, or its condition
    fails and the loader looks again. SNS would send a message twice, so botocore must not try that again.

    Args:
        service: boto3's name of it, for example `s3`.
    """
    if service == "sns":
        return Config(retries={"mode": "standard", "total_max_attempts": 1})
    return Config(retries={"mode": "standard", "max_attempts": 8})
