"""Fuzz the corpus readers with inputs that reach ever more of their code.

Run as ``python -m fuzzing.readers --seconds 600 --target all`` (`make fuzz`). Every target is a process of its own.
Inputs that reach new code stay in the folder, and the next run starts with them. A finding is an exception that is no
refusal, a refusal that is no single line or does not name its file, a lost interval, a crash, an input that takes more
than 20 seconds or more than 3 GB. The exit status is then 1, and the input's path is printed; ``--reproduce PATH``
reads this input alone.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fuzzing.targets import LONGEST, TARGETS, forget_scratch

WORDS = (
    *(
        '"ooTextFile"',
        '"TextGrid"',
        "<exists>",
        '"IntervalTier"',
        '"TextTier"',
        '"phones"',
        '"words"',
        "size = ",
        "1e999",
    ),
    *(
        "NIST_1A",
        "end_head",
        "sample_count -i ",
        "sample_rate -i ",
        "channel_count -i ",
        "RIFF",
        "WAVE",
        "fmt ",
        "data",
    ),
    *("fLaC", "\\x00", "\\xff\\xfe", "\\xef\\xbb\\xbf", "h#", "-1", "nan", "9999999999999999"),
)


@dataclass(frozen=True)
class Result:
    """Result of fuzzing one target.

    Attributes
    ----------
    executions, edges, seconds : int
        Inputs tried, edges of our code that were reached, and time.
    inputs : int
        Inputs in the folder, each of which reaches code that the others do not.
    finding : Path or None
        Input that the reader fails on.
    report : str
        Last lines of the process.
    """

    executions: int
    edges: int
    seconds: int
    inputs: int
    finding: Path | None
    report: str


def fuzz(name: str, *, seconds: int, out: Path) -> Result:
    """Fuzz one target."""
    corpus, found = out / "inputs" / name, out / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name]().seeds()):
        (corpus / f"seed{number:04d}").write_bytes(seed)
    words = out / "words"
    words.write_text("".join('"{}"\n'.format(word.replace('"', '\\"')) for word in WORDS), encoding="utf-8")
    before = set(found.iterdir())
    command = [
        *(sys.executable, "-m", "fuzzing.worker", name, str(corpus), f"-max_total_time={seconds}", "-timeout=20"),
        *("-rss_limit_mb=3000", "-detect_leaks=0", f"-max_len={LONGEST}", "-print_final_stats=1", f"-dict={words}"),
        f"-artifact_prefix={found}/{name}-",
    ]
    # libFuzzer ends its process without removing temporary files.
    with tempfile.TemporaryDirectory(prefix="fuzzing") as scratch:
        done = subprocess.run(
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            check=False,
            env={**os.environ, "TMPDIR": scratch},
        )
    report = done.stderr.decode("utf-8", "replace")
    new = sorted(set(found.iterdir()) - before)
    lost = found / f"{name}-status{done.returncode}"
    if done.returncode and not new:
        lost.write_text(report, encoding="utf-8")
    return Result(
        executions=max(map(int, re.findall(r"^#(\d+)", report, re.MULTILINE)), default=0),
        edges=max(map(int, re.findall(r"cov: (\d+)", report)), default=0),
        seconds=int(next(iter(re.findall(r"in (\d+) second", report)), seconds)),
        inputs=len(list(corpus.iterdir())),
        finding=next(iter(new), lost if done.returncode else None),
        report="\n".join(report.splitlines()[-25:]),
    )


def main() -> int:
    """Fuzz the targets one after the other; print a table, and the findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["all", *TARGETS], default="all", help="reader, or all of them in a row")
    parser.add_argument("--seconds", type=int, default=600, help="time for all targets together")
    parser.add_argument("--out", type=Path, default=Path("fuzzing/out"), help="folder of inputs and findings")
    parser.add_argument("--reproduce", type=Path, metavar="PATH", help="read one finding of --target, and nothing else")
    options = parser.parse_args()
    names = [*TARGETS] if options.target == "all" else [options.target]
    if options.reproduce:
        if options.target == "all":
            parser.error("--reproduce needs the --target that the finding is of")
        TARGETS[options.target]().check(options.reproduce.read_bytes())
        print(f"{options.reproduce} is read or refused as it should be")
        return 0
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write(
            "fuzzing needs atheris, which is not installed; the extra fuzz has it: pip install -e '.[fuzz]'\n"
        )
        return 2
    print(f"{'target':10s}{'executions':>12s}{'a second':>10s}{'edges':>8s}{'inputs':>8s}  finding")
    findings = []
    for name in names:
        result = fuzz(name, seconds=max(1, options.seconds // len(names)), out=options.out)
        each = result.executions / max(1, result.seconds)
        print(
            f"{name:10s}{result.executions:12,d}{each:10,.0f}{result.edges:8,d}{result.inputs:8,d}  "
            f"{result.finding or 'none'}",
            flush=True,
        )
        if result.finding:
            findings.append((name, result))
    for name, result in findings:
        print(f"\n{name}: {result.finding}\n{result.report}")
        print(f"python -m fuzzing.readers --target {name} --reproduce {result.finding}")
    forget_scratch()
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
