"""Puts the adapters on AWS behind the ports."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rsloader_provider.aws.credentials import SessionCredentials
from rsloader_provider.aws.dynamodb.inventory import DynamoInventory
from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.aws.kms import KmsKeys
from rsloader_provider.aws.notifier import SnsNotifier
from rsloader_provider.aws.redshift.data_api import KEEP_ALIVE_SECONDS, DataApiWarehouse
from rsloader_provider.aws.redshift.transports import WarehouseByTransport
from rsloader_provider.aws.redshift.warehouse import RedshiftWarehouse
from rsloader_provider.aws.secrets_manager import SecretsManager
from rsloader_provider.aws.storage import S3Storage
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.loader.ports.inventory import Inventory
from rsloader_provider.loader.ports.keys import Keys
from rsloader_provider.loader.ports.secret_store import SecretStore
from rsloader_provider.loader.run.copy_access import CopyAccess
from rsloader_provider.loader.services import Services, roles_only


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Makes the adapters on AWS, from clients and sessions that the caller knows how to get.

    Attributes:
        client: Makes a boto3 client of a service, and of a region where one is given. That of `dynamodb` is a
            resource's, which takes and gives plain Python values.
        connect: Opens a connection of redshift_connector by the name of an Airflow connection.
        names: Names of the DynamoDB tables.
        secrets: Gives what no error of an Airflow connection may repeat.
        data_api_address: Reads where an Airflow connection leads to by the Redshift Data API; None where no target has
            `transport: data_api`.
        keep_alive_seconds: How long a session of the Data API may idle.
        session: Makes a boto3 session by the name of an Airflow connection; None where Redshift reads with roles of its
            own only.
        mask: Keeps a secret out of every log.
    """

    client: Callable[..., Any]
    connect: Callable[[str], Any]
    names: TableNames
    secrets: Callable[[str], Collection[str]] = lambda _: ()
    data_api_address: Callable[[str], DataApiAddress] | None = None
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS
    session: Callable[[str], Any] | None = None
    mask: Callable[[str], None] = lambda _: None

    def services(self) -> Services:
        """Make the services. Clients of S3 and DynamoDB are made at once, all others when they are needed."""
        return Services(
            storage=S3Storage(self.client("s3")),
            ledger=DynamoLedger(self.client("dynamodb"), self.names),
            notifier=SnsNotifier(partial(self.client, "sns")),
            warehouse=WarehouseByTransport(RedshiftWarehouse(self.connect, self.secrets), self._data_api()),
            now=lambda: datetime.now(UTC),
            access_key=self._access_key(),
        )

    def inventory(self) -> Inventory:
        """Make what reads the tables item by item."""
        return DynamoInventory(self.client("dynamodb"), self.names)

    def keys(self) -> Keys:
        """Make the access to KMS."""
        return KmsKeys(self.client("kms"))

    def secret_store(self) -> SecretStore:
        """Make the access to Secrets Manager."""
        return SecretsManager(self.client("secretsmanager"))

    def _data_api(self) -> DataApiWarehouse | None:
        if self.data_api_address is None:
            return None
        return DataApiWarehouse(
            partial(self.client, "redshift-data"),
            self.data_api_address,
            self.secrets,
            keep_alive_seconds=self.keep_alive_seconds,
        )

    def _access_key(self) -> Callable[[LoadConfig], AccessKey | None]:
        if self.session is None:
            return roles_only
        return CopyAccess(self.keys, SessionCredentials(self.session), self.mask)
