"""What a hostile input may cost the hub that refuses it: two seconds of processor, and 256 MiB."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 2.0
MEBIBYTES = 256


@contextmanager
def frugal(cases: int = 1) -> Iterator[None]:
    """Fail if what this process does within costs more than *cases* inputs may together, in
    processor seconds, or than one may in memory beyond the most that was ever used.
    """
    before, most = time.process_time(), _peak()
    yield
    spent, grown = time.process_time() - before, _peak() - most
    assert spent <= SECONDS * cases, f"{spent:.1f} s of processor for {cases} inputs"
    assert grown <= MEBIBYTES, f"{grown} MiB for {cases} inputs"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
