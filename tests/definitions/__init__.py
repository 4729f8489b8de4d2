"""The package held against the definitions of section 5, as `tests.reference` writes them out."""
