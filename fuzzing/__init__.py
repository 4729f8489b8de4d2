"""Coverage-guided fuzzing of the corpus readers; it needs the package with its extra ``fuzz``."""
