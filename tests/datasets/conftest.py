"""Corpora on disk, in the layouts that people have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

SPHERE_HEADER = """NIST_1A
   1024
database_id -s5 TIMIT
database_version -s3 1.0
utterance_id -s8 cjf0_sa1
channel_count -i 1
sample_count -i {count}
sample_rate -i 16000
sample_min -i -2191
sample_max -i 2790
sample_n_bytes -i 2
sample_byte_format -s2 01
sample_sig_bits -i 16
end_head
"""

# SA1 as TIMIT has it: "dark" and "suit" overlap, and so do the phones around them here.
PHN = "0 3000 h#\n3000 5000 sh\n4500 8000 iy\n8000 9000 q\n9000 10000 pau\n10000 15900 dcl\n"
WRD = "3000 8000 she\n7000 9000 had\n"
TXT = "0 15900 She had your dark suit, in greasy wash water all year.\n"


def noise(n_samples: int = 16000, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(n_samples) * 0.1).astype(np.float32)


def sphere_bytes(samples: np.ndarray, *, count: int | None = None) -> bytes:
    """A file as TIMIT's own: no `sample_coding`, header padded with blanks, little-endian."""
    header = SPHERE_HEADER.format(count=len(samples) if count is None else count)
    return header.encode().ljust(1024) + (samples * 32767).astype("<i2").tobytes()


@dataclass(frozen=True)
class TimitTree:
    """Writes recordings below `root` in TIMIT's layout."""

    root: Path

    def add(
        self,
        where: str = "TRAIN/DR1/FCJF0/SA1",
        *,
        samples: np.ndarray | None = None,
        phn: str | None = PHN,
        wrd: str | None = WRD,
        txt: str | None = TXT,
        audio: str = ".WAV",
        case: Callable[[str], str] = str,
        riff: bool = False,
    ) -> Path:
        """Write one recording; return its path without the ending."""
        stem = self.root / case(where)
        stem.parent.mkdir(parents=True, exist_ok=True)
        samples = noise(seed=len(where)) if samples is None else samples
        path = stem.with_name(stem.name + case(audio))
        if riff:
            soundfile.write(path, samples, 16000, format="WAV")
        else:
            path.write_bytes(sphere_bytes(samples))
        for ending, content in ((".PHN", phn), (".WRD", wrd), (".TXT", txt)):
            if content is not None:
                stem.with_name(stem.name + case(ending)).write_text(content)
        return stem


@pytest.fixture
def timit_tree(tmp_path: Path) -> TimitTree:
    return TimitTree(tmp_path / "timit")


def textgrid_text(tiers: dict[str, list[tuple[float, float, str]]], *, short: bool = False, end: float = 1.0) -> str:
    """Tiers as Praat writes them, in the long or the short form."""
    quoted = {name: [(a, b, label.replace('"', '""')) for a, b, label in tier] for name, tier in tiers.items()}
    if short:
        lines = [
            'File type = "ooTextFile"',
            'Object class = "TextGrid"',
            "",
            "0",
            f"{end}",
            "<exists>",
            f"{len(tiers)}",
        ]
        for name, tier in quoted.items():
            lines += ['"IntervalTier"', f'"{name}"', "0", f"{end}", f"{len(tier)}"]
            lines += [line for a, b, label in tier for line in (f"{a}", f"{b}", f'"{label}"')]
        return "\n".join(lines) + "\n"
    lines = [
        *('File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {end} "),
        *("tiers? <exists> ", f"size = {len(tiers)} ", "item []: "),
    ]
    for place, (name, tier) in enumerate(quoted.items(), start=1):
        lines += [f"    item [{place}]:", '        class = "IntervalTier" ', f'        name = "{name}" ']
        lines += ["        xmin = 0 ", f"        xmax = {end} ", f"        intervals: size = {len(tier)} "]
        for number, (a, b, label) in enumerate(tier, start=1):
            lines += [
                f"        intervals [{number}]:",
                f"            xmin = {a} ",
                f"            xmax = {b} ",
            ]
            lines += [f'            text = "{label}" ']
    return "\n".join(lines) + "\n"


TIERS = {
    "words": [(0.0, 0.1, ""), (0.1, 0.5, "She"), (0.5, 1.0, "had")],
    "phones": [(0.0, 0.1, "sil"), (0.1, 0.3, "SH"), (0.3, 0.5, "IY1"), (0.5, 1.0, "HH")],
}


@dataclass(frozen=True)
class TextGridTree:
    """Writes audio and TextGrids below one folder or two."""

    root: Path
    annotations: Path

    def audio(self, where: str = "fcjf0/a.wav", *, samples: np.ndarray | None = None, rate: int = 16000) -> Path:
        path = self.root / where
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(rate) if samples is None else samples, rate)
        return path

    def grid(
        self,
        where: str = "fcjf0/a.TextGrid",
        *,
        tiers: dict[str, list[tuple[float, float, str]]] = TIERS,
        short: bool = False,
        text: str | None = None,
        encoding: str = "utf-8",
        newline: str = "\n",
        apart: bool = False,
    ) -> Path:
        path = (self.annotations if apart else self.root) / where
        path.parent.mkdir(parents=True, exist_ok=True)
        text = textgrid_text(tiers, short=short) if text is None else text
        path.write_bytes(text.replace("\n", newline).encode(encoding))
        return path


@pytest.fixture
def grid_tree(tmp_path: Path) -> TextGridTree:
    return TextGridTree(root=tmp_path / "audio", annotations=tmp_path / "grids")


@pytest.fixture
def write_textgrid() -> Callable[..., str]:
    return textgrid_text


@pytest.fixture
def write_sphere() -> Callable[..., bytes]:
    return sphere_bytes
