from collections.abc import Iterator

import pytest

from snaps.profiling import about, parts, shards
from tests.scale.work import SHORT


@pytest.fixture(scope="module")
def short_shards() -> Iterator[None]:
    """Shards of a few recordings, for tests that need many shards and stay in this process."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (about, parts, shards):
            patched.setattr(module, "SHARD", SHORT)
        yield
