"""A load into a table of its own over the Data API, behind a proxy that breaks its calls."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from network.eager_clients import eager_client
from network.fault_proxy import FaultProxy
from network.run_through import BUCKET, OBJECTS, PREFIX, buffer_first, carry_through, check_ledger
from support.loader_services import loader_services
from support.objects import a_config

from rsloader_provider.aws.redshift.data_api import DataApiWarehouse
from rsloader_provider.aws.redshift.transports import WarehouseByTransport
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.local.aws import LocalAws

_numbers = count()
STATEMENTS = (
    "BackendPid", "Begin", "LockHistory", "FindLoaded", "FindOtherLoads", "Copy", "LastCopy", "RecordLoaded", "Commit",
    "Rollback",
)  # fmt: skip
"""What the first load into a table sends, in its order."""
CALLS = (
    *(("ExecuteStatement", number) for number in range(1, len(STATEMENTS) + 1)),
    # the process id, what the history knows of the batch and of other loads, what COPY has loaded
    *(("GetStatementResult", number) for number in (1, 2, 3, 4)),
)
"""The calls of a load without faults, each with its number among its like; the last statement ends the session."""


class House:
    """A load into a table of its own over a proxy before the Data API."""

    def __init__(self, aws: LocalAws, proxy: FaultProxy, query: Callable[[str], Any]):
        self.query = query
        self.name = f"api{next(_numbers)}"
        table = TableName("public", self.name)
        aws.seed_objects({"bucket": BUCKET, "key": f"{self.name}/in/{n}.csv", "body": f"{n}\n"} for n in range(OBJECTS))
        for statement in (
            f"CREATE TABLE public.{self.name} (id integer)",
            render(sql.CreateHistorySchema()),
            render(sql.CreateHistory(table)),
        ):
            query(statement)
        client = eager_client("redshift-data", proxy.endpoint_url)
        data_api = DataApiWarehouse(
            lambda _: client,
            lambda _: DataApiAddress("dev", cluster="any-cluster", user="awsuser"),
            keep_alive_seconds=20,
        )
        plain = loader_services(aws.endpoint_url, PREFIX)
        self.services = replace(plain, warehouse=WarehouseByTransport(data_api, data_api))
        self.config = a_config(
            load=self.name,
            source=f"s3://{BUCKET}/{self.name}/in/",
            manifests=f"s3://{BUCKET}/{self.name}/manifests/",
            targets=[{"table": f"public.{self.name}", "transport": "data_api"}],
        )
        buffer_first(self.config, self.services)

    def carry_through(self) -> int:
        """Load, check that everything is there once, and give the attempts that it took."""
        carry_through(self.config, self.services)
        batch = check_ledger(self.config, self.services)
        assert sorted(row[0] for row in self.query(f"SELECT id FROM public.{self.name}")) == list(range(OBJECTS))
        history = self.query(f"SELECT batch, generation, rows FROM rsloader.public__{self.name}")
        assert [tuple(row) for row in history] == [(batch.batch, 1, OBJECTS)]
        (progress,) = batch.targets.values()
        return progress.attempt
