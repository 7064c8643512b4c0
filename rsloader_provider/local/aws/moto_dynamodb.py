"""Moto's DynamoDB, made atomic: one request at a time, and each write happens whole or not at all.

Conditions, updates, validation, projections and the wire format are moto's. Ours are transactions that touch only
their own items, pages that read only their own items, the client's request token, and the count of write units.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import moto.dynamodb.urls
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    ConditionalCheckFailed,
    MockValidationException,
    MultipleTransactionsException,
    ProvidedKeyDoesNotExist,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table
from moto.server import DomainDispatcherApplication, create_backend_app

from rsloader_provider.local.aws.write_units import WriteUnits, size_bytes, units, write_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

MAX_ACTIONS = 100
REMEMBERED_TOKENS = 10_000
_T = TypeVar("_T")
_LOWEST = {"=": bisect_left, ">=": bisect_left, ">": bisect_right, "BETWEEN": bisect_left, "BEGINS_WITH": bisect_left}
_HIGHEST = {"=": bisect_right, "<=": bisect_right, "<": bisect_left, "BETWEEN": bisect_right}
_QUERY_OPTIONS = frozenset(
    {"consistent_read", "expr_names", "expr_values", "filter_expression", "hash_key_conditions", "range_key_conditions"}
)


def _sort_value(key: DynamoType) -> Any:
    return key.cast_value


class Partition(dict[DynamoType, Item]):
    """The items of one hash key, and their range keys in order: sorted again only after one came or went."""

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[DynamoType] | None = None

    def __setitem__(self, key: DynamoType, item: Item) -> None:
        if key not in self:
            self._sorted = None
        super().__setitem__(key, item)

    def pop(self, key: DynamoType, *default: Any) -> Any:
        """Take an item away."""
        self._sorted = None
        return super().pop(key, *default)

    def select(
        self, comparison: str | None, operands: list[DynamoType], start: DynamoType | None, *, forward: bool
    ) -> Iterator[tuple[DynamoType, Item]]:
        """Give the items whose range key passes a key condition, in order.

        Args:
            comparison: As moto names it; None for all items.
            operands: What the range key is compared with.
            start: The range key of the last page's last item; None for the first page.
            forward: False for the reverse order.
        """
        if self._sorted is None:
            self._sorted = sorted(self, key=_sort_value)
        order, low, high = self._sorted, 0, len(self)
        if comparison in _LOWEST:
            low = _LOWEST[comparison](order, operands[0].cast_value, key=_sort_value)
        if comparison in _HIGHEST:
            high = _HIGHEST[comparison](order, operands[-1].cast_value, key=_sort_value)
        if comparison == "BEGINS_WITH":
            prefix = operands[0].cast_value
            high = bisect_right(order, prefix, low, key=lambda key: key.cast_value[: len(prefix)])
        if start is not None and forward:
            low = max(low, bisect_right(order, start.cast_value, key=_sort_value))
        elif start is not None:
            high = min(high, bisect_left(order, start.cast_value, key=_sort_value))
        places = range(low, high) if forward else range(high - 1, low - 1, -1)
        return ((order[place], self[order[place]]) for place in places)


class Touched(NamedTuple):
    """One item of a request, as it was before."""

    table: Table
    hash_key: DynamoType
    range_key: DynamoType | None
    before: Item | None


class Draft:
    """A DynamoDB of moto's that holds copies of only the items of one request, until `commit` puts them in place.

    Attributes:
        backend: Where moto does what was asked for.
    """

    def __init__(self, stored: DynamoDBBackend) -> None:
        self.backend = DynamoDBBackend(stored.region_name, stored.account_id)
        self._stored = stored
        self._touched: list[tuple[Touched, Table]] = []

    def take(self, table_name: str, attributes: dict[str, Any], *, is_key: bool) -> Touched:
        """Copy an item into the draft.

        Args:
            table_name: Its table.
            attributes: Its key, or attributes among which its key is.
            is_key: True when they may be nothing but the key.

        Raises:
            MockValidationException: They do not hold the table's key.
        """
        table = self._stored.get_table(table_name)
        names = table.table_key_attrs
        if is_key and attributes.keys() != set(names):
            raise ProvidedKeyDoesNotExist
        for name in names:
            if name not in attributes:
                raise MockValidationException(
                    f"One or more parameter values were invalid: Missing the key {name} in the item"
                )
        hash_key, range_key = self._stored.get_keys_value(table, attributes)
        touched = Touched(table, hash_key, range_key, table.get_item(hash_key, range_key))
        if table_name not in self.backend.tables:
            self.backend.tables[table_name] = without_items(table)
        draft = self.backend.tables[table_name]
        if touched.before is not None:
            _put(draft, touched, copy.deepcopy(touched.before))
        self._touched.append((touched, draft))
        return touched

    def commit(self, spent: WriteUnits, *, times: int = 1) -> None:
        """Put every item in place as it is in the draft, and count the units; nothing here can fail."""
        for touched, draft in self._touched:
            table, hash_key, range_key, before = touched
            after = draft.get_item(hash_key, range_key)
            spent.add(table.name, write_units(table, before, after), times=times)
            if after is None:
                table.delete_item(hash_key, range_key)
            elif before is None or after.attrs != before.attrs:
                _put(table, touched, after)
                if table.stream_shard is not None:
                    table.stream_shard.add(before, after)

    def cancel(self, spent: WriteUnits, *, times: int = 1) -> None:
        """Count what a false condition costs: the units of the items as they are."""
        for touched, _ in self._touched:
            held = size_bytes(touched.before.attrs) if touched.before else 0
            spent.add(touched.table.name, {"": units(held)}, times=times)


def without_items(table: Table) -> Table:
    """Return a table of the same shape that holds nothing and streams nowhere."""
    empty = copy.copy(table)
    empty.items = defaultdict(dict)
    empty.stream_shard = None
    return empty


def _put(table: Table, place: Touched, item: Item) -> None:
    if place.range_key is None:
        table.items[place.hash_key] = item  # type: ignore[assignment]  # moto keeps both shapes in one attribute
    else:
        table.items[place.hash_key][place.range_key] = item


class AtomicBackend(DynamoDBBackend):
    """Moto's backend with writes that happen whole or not at all, and pages that cost what they hold.

    Attributes:
        spent: The write units of all regions.
    """

    spent = WriteUnits()
    _url_module = moto.dynamodb.urls  # moto would look for it beside this module

    def create_table(self, *args: Any, **kwargs: Any) -> Table:
        """Create a table whose partitions keep their order."""
        table = super().create_table(*args, **kwargs)
        if table.has_range_key:
            table.items = defaultdict(Partition)
        return table

    def put_item(self, table_name: str, item_attrs: dict[str, Any], *args: Any, **kwargs: Any) -> Item:
        """Put one item."""
        return self._write(
            table_name, item_attrs, False, lambda draft: draft.put_item(table_name, item_attrs, *args, **kwargs)
        )

    def update_item(self, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Item:
        """Update one item; moto alone would leave half an update behind when its second half fails."""
        return self._write(table_name, key, True, lambda draft: draft.update_item(table_name, key, *args, **kwargs))

    def delete_item(self, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Item | None:
        """Delete one item."""
        return self._write(table_name, key, True, lambda draft: draft.delete_item(table_name, key, *args, **kwargs))

    def _write(self, table_name: str, key: dict[str, Any], is_key: bool, act: Callable[[DynamoDBBackend], _T]) -> _T:
        draft = Draft(self)
        draft.take(table_name, key, is_key=is_key)
        try:
            answer = act(draft.backend)
        except ConditionalCheckFailed:
            draft.cancel(self.spent)
            raise
        draft.commit(self.spent)
        return answer

    def transact_write_items(self, transact_items: list[dict[str, Any]]) -> None:
        """Carry out all actions or none. No two share an item, so each condition sees the items as they were.

        Raises:
            TransactionCanceledException: Conditions are false; the reasons stand in the actions' order.
            MockValidationException: Too many actions, one item twice, or an action that makes no sense.
        """
        if len(transact_items) > MAX_ACTIONS:
            raise TooManyTransactionsException
        draft = Draft(self)
        seen: set[tuple[str, DynamoType, DynamoType | None]] = set()
        reasons: list[tuple[str | None, str | None, dict[str, Any] | None]] = []
        for each in transact_items:
            if len(each) != 1:
                raise TransactWriteSingleOpException
            kind, action = next(iter(each.items()))
            touched = draft.take(action["TableName"], action.get("Key") or action["Item"], is_key=kind != "Put")
            place = (touched.table.name, touched.hash_key, touched.range_key)
            if place in seen:
                raise MultipleTransactionsException
            seen.add(place)
            try:
                _act(draft.backend, kind, action, touched.before)
                reasons.append((None, None, None))
            except ConditionalCheckFailed as failure:
                shown = action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and touched.before
                item = shown.to_json()["Attributes"] if shown else None
                reasons.append(("ConditionalCheckFailed", failure.message, item))
        if any(code for code, _, _ in reasons):
            draft.cancel(self.spent, times=2)
            raise TransactionCanceledException(reasons)
        draft.commit(self.spent, times=2)

    def query(
        self,
        table_name: str,
        hash_key_dict: dict[str, Any] | None,
        range_comparison: str | None,
        range_value_dicts: list[dict[str, Any]],
        limit: int,
        exclusive_start_key: dict[str, Any],
        scan_index_forward: bool,
        projection_expressions: list[list[str]] | None,
        index_name: str | None = None,
        **options: Any,
    ) -> tuple[list[Item], int, dict[str, Any] | None]:
        """Let moto query a table that holds only the items of this page, and one more that tells of the next."""
        table = self.get_table(table_name)
        page = without_items(table)
        if not table.has_range_key or not options.keys() <= _QUERY_OPTIONS:
            page = table  # moto's legacy filters decide what a page holds
        elif index_name:
            names = table.get_index(index_name, error_if_not=True).schema_key_attrs
            for hash_key, partition in table.items.items():
                indexed = {key: item for key, item in partition.items() if all(name in item.attrs for name in names)}
                page.items[hash_key] = indexed
        elif hash_key_dict and (hash_key := DynamoType(hash_key_dict)) in table.items:
            operands = [DynamoType(value) for value in range_value_dicts]
            start = DynamoType(exclusive_start_key[str(table.range_key_attr)]) if exclusive_start_key else None
            found = table.items[hash_key].select(range_comparison, operands, start, forward=scan_index_forward)
            page.items[hash_key] = dict(_one_page(found, limit))
        draft = DynamoDBBackend(self.region_name, self.account_id)
        draft.tables[table_name] = page
        return draft.query(
            table_name,
            hash_key_dict,
            range_comparison,
            range_value_dicts,
            limit,
            exclusive_start_key,
            scan_index_forward,
            projection_expressions,
            index_name,
            **options,
        )


def _act(backend: DynamoDBBackend, kind: str, action: dict[str, Any], current: Item | None) -> None:
    condition = {
        "condition_expression": action.get("ConditionExpression"),
        "expression_attribute_names": action.get("ExpressionAttributeNames"),
        "expression_attribute_values": action.get("ExpressionAttributeValues"),
    }
    if kind == "Put":
        backend.put_item(action["TableName"], action["Item"], **condition)
    elif kind == "Update":
        backend.update_item(action["TableName"], action["Key"], action["UpdateExpression"], **condition)
    elif kind == "Delete":
        backend.delete_item(action["TableName"], action["Key"], **condition)
    elif not get_filter_expression(*condition.values()).expr(current):
        raise ConditionalCheckFailed


def _one_page(found: Iterator[tuple[DynamoType, Item]], limit: int | None) -> Iterator[tuple[DynamoType, Item]]:
    size = 0
    for key, item in islice(found, limit and limit + 1):
        yield key, item
        size += item.size()
        if size > RESULT_SIZE_LIMIT:
            return


class DynamoDBService:
    """A WSGI application that answers DynamoDB's requests, one at a time; a new one starts without tables.

    A transaction that was applied is not applied again under the same token, of which the last 10,000 are kept; AWS
    keeps them for ten minutes.

    Attributes:
        spent: The write units of all regions.
    """

    def __init__(self) -> None:
        self.spent = AtomicBackend.spent
        self.spent.reset()
        dynamodb_backends.clear()
        dynamodb_backends.backend = AtomicBackend
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._applied: dict[str, bytes] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._transact if environ.get("HTTP_X_AMZ_TARGET", "").endswith(".TransactWriteItems") else self._moto
        with self._lock:
            try:
                return list(answer(environ, start_response))
            finally:
                # moto keeps every copy of every item for its dashboard.
                Item.instances_tracked.clear()
                Table.instances_tracked.clear()

    def _transact(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        token, content = json.loads(body).get("ClientRequestToken", ""), hashlib.sha256(body).digest()
        if token in self._applied:
            return _repeated(start_response, is_same=self._applied[token] == content)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            if token and status.startswith("200"):
                self._applied[token] = content
            return start_response(status, headers, *rest)

        answer = list(self._moto(environ, start))
        if len(self._applied) > REMEMBERED_TOKENS:
            del self._applied[next(iter(self._applied))]
        return answer


def _repeated(start_response: StartResponse, *, is_same: bool) -> Iterable[bytes]:
    message = "The request uses the same client token as a previous, but non-identical request."
    mismatch = {"__type": f"{ERROR_TYPE_PREFIX}IdempotentParameterMismatchException", "Message": message}
    body = json.dumps({} if is_same else mismatch).encode()
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    start_response("200 OK" if is_same else "400 Bad Request", headers)
    return [body]
