from jaxtyping import install_import_hook

import tests.shapes  # noqa: F401

# Before anything imports the package.
install_import_hook("snaps", "tests.shapes.checked")
