"""One lane for each isolation level, side by side, each with an AWS and a Redshift of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crash.cells import ISOLATIONS, Cell, Isolation
from crash.lane import Lane
from crash.play import Verdict
from crash.races import Race
from crash.stage import Addresses
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

Played = Cell | Race


@contextmanager
def running() -> Iterator[Mapping[Isolation, Addresses]]:
    """Start what the lanes need, and stop it at the end of the block."""
    with ExitStack() as stack:
        addresses: dict[Isolation, Addresses] = {}
        for isolation in ISOLATIONS:
            aws = stack.enter_context(LocalAws())
            redshift = stack.enter_context(LocalRedshift(s3_endpoint=aws.endpoint_url, isolation=isolation))
            aws.use_redshift(
                host=redshift.host, port=redshift.port, database=redshift.database, user=redshift.user,
                password=redshift.password,
            )  # fmt: skip
            addresses[isolation] = Addresses.of(aws, {isolation: redshift})
        yield addresses


def play_all(
    addresses: Mapping[Isolation, Addresses],
    played: Sequence[Played],
    heard: Callable[[Played, Verdict], None],
    package: Path | None = None,
) -> None:
    """Play everything, and tell of each as it ends.

    Args:
        addresses: What is running.
        played: What to play.
        heard: Called for each, from one thread of each isolation level.
        package: The folder of the `rsloader_provider` to play; None for the one that we use.

    Raises:
        RuntimeError: A lane ended, or it plays another `rsloader_provider`.
    """

    def run(isolation: Isolation) -> None:
        with Lane(addresses[isolation], package) as lane:
            if package is not None and lane.package != package / "rsloader_provider":
                raise RuntimeError(f"the lane plays {lane.package}, and not {package}")
            for each in played:
                if each.isolation == isolation:
                    heard(each, lane.play(each))

    with ThreadPoolExecutor(len(addresses)) as pool:
        list(pool.map(run, addresses))
