"""How the loader's AWS clients are to be made: how often each tries a call by itself."""

from botocore.config import Config


def client_settings(service: str) -> Config:
    """Give the settings of boto3's client of a service.

    Whatever S3 and DynamoDB are asked for may be carried out twice: the second time changes nothing, or its
    condition fails and the loader looks. SNS would send the message twice, so botocore must not try that again.

    Args:
        service: boto3's name of it, for example `s3`.
    """
    if service == "sns":
        return Config(retries={"mode": "standard", "total_max_attempts": 1})
    return Config(retries={"mode": "standard", "max_attempts": 8})
