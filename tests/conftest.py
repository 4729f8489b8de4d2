import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

import tests.shapes  # noqa: F401

# Before anything imports the package.
install_import_hook("snaps", "tests.shapes.checked")

# How long an example takes depends on who else uses the machine.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

#: Seconds that a test of one of these kinds may take; pyproject.toml has the limit of all others.
LONG, LONG_LIMIT = ("campaign", "demonstration"), 7200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(map(item.get_closest_marker, LONG)) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_LIMIT))
