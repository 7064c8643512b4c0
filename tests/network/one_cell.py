"""Runs one cell of the matrix, and checks that nothing is lost and nothing doubled."""

from itertools import count
from typing import Any

from network.cells import Cell
from network.eager_clients import eager_client, shared_client
from network.fault_proxy import FaultProxy, Kind, service_of
from network.run_through import (
    BUCKET,
    OBJECTS,
    PREFIX,
    TELLING,
    TELLING_OF_TWO,
    TOLD,
    ObjectsInS3,
    Told,
    a_load,
    carry_through,
    check_ledger,
    check_tables,
    with_warehouse,
)
from support.fakes.warehouse import MemoryWarehouse

from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.core.ledger.batch import Notification
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.wiring import Wiring

_numbers = count()


def run_cell(cell: Cell | None, aws: LocalAws, proxy: FaultProxy, s3: Any, topic: str, targets: int = 1) -> Told:
    """Carry a load of its own through, with the cell's fault or, without a cell, with none.

    Returns:
        What became of the notification.
    """
    name = f"load-{next(_numbers)}"
    tables = [f"public.{name}_{number}" for number in range(cell.targets if cell else targets)]
    config = a_load(name, topic, *tables)
    aws.seed_objects({"bucket": BUCKET, "key": f"{name}/in/{n}.csv", "body": f"{n}\n"} for n in range(OBJECTS))
    warehouse = MemoryWarehouse(ObjectsInS3(s3))  # type: ignore[arg-type]
    for table in tables:
        warehouse.create(table)
    clients = {service: shared_client(service, proxy.endpoint_url) for service in ("s3", "sns", "dynamodb")}
    if cell is not None:
        service = service_of(cell.fault.operation)
        clients[service] = eager_client(service, proxy.endpoint_url, cell.patience_seconds)
    wiring = Wiring(client=clients.__getitem__, connect=None, names=TableNames(PREFIX))  # type: ignore[arg-type]
    services = with_warehouse(wiring.services(), warehouse)
    proxy.order(*([cell.fault] if cell else []))
    carry_through(config, services)
    proxy.settle()
    batch = check_ledger(config, services)
    check_tables(config, warehouse, batch)
    manifests = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/manifests/")["Contents"]
    assert [each["Key"] for each in manifests] == [f"{name}/manifests/{name}/{batch.batch}.manifest"]
    return Told(proxy.carried_out("Publish"), batch.notification)


_UNTOLD = {Told(0, Notification.REFUSED)}
_IN_DOUBT = {Told(1, Notification.DUE)}
_EXPECTED_OF_PUBLISH = {
    # SNS cannot tell a message that it gets twice, so only what certainly was not published is tried again.
    Kind.DROPPED: {Told(0, Notification.DUE)},
    Kind.ANSWER_LOST: _IN_DOUBT,
    Kind.SLOW: _IN_DOUBT,
    Kind.LATE: _IN_DOUBT,
    Kind.THROTTLED: {TOLD},
    Kind.EXPIRED: _UNTOLD,
    Kind.FAILED_AFTER: _IN_DOUBT,
    Kind.GARBLED: _IN_DOUBT,
}


def expected(cell: Cell) -> set[Told]:
    """Give what may have become of the notification: it is never sent twice, and doubt is never noted as certainty."""
    never = Told(0, Notification.DUE)
    unknown = Told(1, Notification.DUE)
    fault = cell.fault
    lasting = fault.times > 1
    note = (TELLING if cell.targets == 1 else TELLING_OF_TWO)[-1]
    match fault.operation:
        case "Publish":
            return _EXPECTED_OF_PUBLISH[fault.kind]
        case "UpdateItem" if (fault.operation, fault.nth) == note and fault.kind is Kind.EXPIRED:
            return {unknown}
        case "UpdateItem" if lasting:
            # Either the attempt that completed the batch never heard of it, or the note could not be made.
            return {TOLD, never, unknown}
        case _:
            return {TOLD}
