"""Everything that a use case works with, on fakes, and what is outside of it."""

from dataclasses import dataclass, field

from rsloader_provider.loader.services import Services
from support.fakes.inventory import MemoryInventory
from support.fakes.ledger import MemoryLedger
from support.fakes.notifier import MemoryNotifier
from support.fakes.storage import MemoryStorage
from support.fakes.warehouse import MemoryWarehouse
from support.objects import Clock, counting_randomness

OK_TOPIC = "arn:aws:sns:us-east-1:123456789012:ok"
FAILED_TOPIC = "arn:aws:sns:us-east-1:123456789012:failed"


@dataclass
class World:
    ledger: MemoryLedger = field(default_factory=lambda: MemoryLedger(counting_randomness()))
    storage: MemoryStorage = field(default_factory=lambda: MemoryStorage("landing", "loader"))
    notifier: MemoryNotifier = field(default_factory=lambda: MemoryNotifier(OK_TOPIC, FAILED_TOPIC))
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.warehouse = MemoryWarehouse(self.storage, now=self.clock)
        self.warehouse.create("public.orders")

    @property
    def services(self) -> Services:
        return Services(self.ledger, self.storage, self.warehouse, self.notifier, self.clock)

    @property
    def inventory(self) -> MemoryInventory:
        return MemoryInventory(self.ledger)

    def put(self, *keys: str, content: str = "1\n") -> None:
        for key in keys:
            self.storage.write("landing", key, content.encode())
