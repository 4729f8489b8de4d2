from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaps.datasets.textgrids import TextGrid, TextGridError, parse_textgrid

label = st.one_of(
    st.text(max_size=12),
    st.sampled_from(['he said "hi"', "two\nlines", "item [3]:", "intervals [2]:", "xmin = 5", '"', "! no comment"]),
    st.sampled_from(["<exists>", "IntervalTier", "12", "\r\n", "\\bs", "ə ʃ", '""', "class = TextTier"]),
)
time = st.floats(0, 1e4)
tier = st.lists(st.tuples(time, time, label), max_size=6)


@pytest.mark.parametrize("short", [False, True])
def test_reads_what_praat_writes(write_textgrid: Callable[..., str], short: bool) -> None:
    @given(tiers=st.dictionaries(label, tier, max_size=4))
    def check(tiers: dict[str, list[tuple[float, float, str]]]) -> None:
        # The fixture quotes labels; names of tiers are quoted the same way.
        text = write_textgrid({name.replace('"', '""'): some for name, some in tiers.items()}, short=short)
        found = parse_textgrid(text)
        assert found.tiers == tuple((name, tuple(some)) for name, some in tiers.items())

    check()


MIXED = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0 ! a comment with "quotes"
xmax = 2.3
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 2.3
        points: size = 2
        points [1]:
            number = 0.5
            mark = "click"
        points [2]:
            time = 1e-05
            mark = ""
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 2.3
        intervals: size = 1
        intervals [1]:
            xmin = -0.5
            xmax = 1.4100000000000001
            text = "a"
    item [3]:
        class = "IntervalTier"
        name = "empty"
        xmin = 0
        xmax = 2.3
        intervals: size = 0
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_points_comments_and_empty_tiers(newline: str) -> None:
    grid = parse_textgrid(MIXED.replace("\n", newline))
    assert grid.tiers == (("phones", ((-0.5, 1.4100000000000001, "a"),)), ("empty", ()))
    assert grid.point_tiers == ("clicks",)


def test_no_tiers() -> None:
    assert parse_textgrid('"ooTextFile short"\n"TextGrid"\n0\n1\n<absent>\n').tiers == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "ends where the file type is due"),
        ("hello", "ends where the file type is due"),
        ('"Praat chronological TextGrid text file"\n0 1', "no text file of the class TextGrid"),
        ('"ooTextFile"\n"PitchTier"\n0 1', "no text file of the class TextGrid"),
        ("ooBinaryFile\x08TextGrid", "ends where"),
        (
            MIXED.replace('"a"', '"a'),
            "where the name of a tier is due",
        ),
        (MIXED.replace("size = 1", "size = 2"), "has '\"IntervalTier\"' where the start of the interval 2"),
        (MIXED.replace("size = 0", "size = 1"), "ends where the start of the interval 1 in the tier 'empty'"),
        (MIXED.replace("size = 0", "size = -1"), "has -1.0 where the size of the tier 'empty'"),
        (MIXED.replace("size = 0", "size = 0.5"), "has 0.5 where"),
        (MIXED.replace("-0.5", "nought"), "has '1.4100000000000001' where|has '\"a\"' where the end"),
        (MIXED.replace('"TextTier"', '"SpectrumTier"'), "class 'SpectrumTier'; known are"),
        (MIXED[:300], "ends where"),
        (MIXED.replace("size = 0", "size = 1e999"), "has inf where the size of the tier 'empty'"),
        (MIXED.replace("size = 3", "size = 2"), "goes on behind its last tier with '\"IntervalTier\"'"),
        (MIXED.replace("size = 3", "size = 1e300"), "ends where the class of a tier is due"),
        (MIXED + "12", "goes on behind its last tier with '12'"),
        ('"ooTextFile"\n"TextGrid"\n0\n1\n<absent>\n1', "goes on behind its header with '1'"),
        (MIXED.replace("empty", "e" * 1000) + "0", r"goes on behind"),
    ],
)
def test_refuses(text: str, sentence: str) -> None:
    with pytest.raises(TextGridError, match=sentence):
        parse_textgrid(text)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, MIXED[:120] + text, MIXED.replace('"a"', text)):
        try:
            grid = parse_textgrid(whole)
        except TextGridError as error:
            assert 0 < len(str(error)) < 200
        else:
            assert isinstance(grid, TextGrid)


def test_a_size_that_is_no_number_loses_no_interval(write_textgrid: Callable[..., str]) -> None:
    """The next number, which is the first interval's start, would be the size, and the tier empty."""
    whole = write_textgrid({"phones": [(0.0, 0.5, "a"), (0.5, 1.0, "b")]})
    for size in ("NaN", "", "two", "1"):
        with pytest.raises(TextGridError, match="goes on behind its last tier|where the"):
            parse_textgrid(whole.replace("intervals: size = 2", f"intervals: size = {size}"))


@pytest.mark.parametrize(
    "text",
    [
        MIXED + "! " + "1" * 400_000 + "x",
        "1" * 400_000 + "x" + MIXED,
        ("1" * 2000 + "x ") * 200 + MIXED,
    ],
)
def test_long_words_are_ignored_like_others(text: str) -> None:
    """Reading that took quadratic time would take hours."""
    assert parse_textgrid(text) == parse_textgrid(MIXED)


def test_a_long_name_is_cut_in_errors(write_textgrid: Callable[..., str]) -> None:
    text = write_textgrid({"n" * 200_000: [(0.0, 1.0, "a")] * 5000})
    assert len(parse_textgrid(text).tiers[0][1]) == 5000
    with pytest.raises(TextGridError) as caught:
        parse_textgrid(text + "0 " + '"' * 3)
    assert len(str(caught.value)) < 200
