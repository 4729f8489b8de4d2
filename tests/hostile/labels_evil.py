"""Texts that are more than text to somebody: to a browser, to matplotlib, to a terminal, to a file system."""

from hypothesis import strategies as st

EVIL = (
    "<script>document.title = 'attacked'</script>",
    '"><img src=x onerror="document.title=1">',
    "'",
    '"',
    "&amp;",
    "$x^2$",
    r"$\frac{$",
    "{{ title }}{% raw %} %s {0}",
    "[red]bold[/red]",
    "[/]",
    ":smile:",
    "a\nb",
    "a\tb",
    "a\rb",
    "\x1b]0;title\x07\x1b[31m",
    "\x85\u2028\u2029",
    "\u202eevil",
    "\ufeffbom",
    "\ufffe",
    "e\u0301\u0302\u0303\u0304",
    "\u00e9",
    "e\u0301",
    "😀👩\u200d👩\u200d👧",
    "漢字",
    "_label",
    "   ",
    " a ",
    "..",
    "../../x",
    "/etc/x",
    "-x",
    "nan",
    "=1+1",
    "x" * 10_000,
)
#: What no store can hold: refused where it would get into one.
UNSTORABLE = ("nul\0l", "trailing\0", "half \udc80", "\ud83d")

texts = st.one_of(
    st.sampled_from(EVIL),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30),
    st.text(st.sampled_from("<>&\"'$\\_^{}%[]/\n\t "), min_size=1, max_size=12),
)
