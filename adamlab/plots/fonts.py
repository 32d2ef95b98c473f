"""Fonts for labels in letters that the pictures' own font lacks, such as Chinese ones."""

from collections.abc import Iterable

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans JP",
    "Noto Sans KR",
    "Source Han Sans",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Unifont",
)
"""Families with many letters, by what systems call them; those installed are taken where a letter is lacking."""


def add_families(fig: Figure) -> str:
    """Give the texts of a figure the families that have their letters, and return the letters that none has."""
    texts = [text for text in fig.findobj(Text) if isinstance(text, Text)]
    letters = {letter for text in texts for letter in text.get_text() if not letter.isspace()}
    lacking = _lacking(letters, findfont(FontProperties()))
    if not lacking:
        return ""
    installed = {font.name for font in fontManager.ttflist}
    families = [family for family in FAMILIES if family in installed]
    for text in texts:
        text.set_fontfamily([*text.get_fontfamily(), *families])
    for family in families:
        lacking = _lacking(lacking, findfont(family))
    return "".join(sorted(lacking))


def _lacking(letters: Iterable[str], file: str) -> set[str]:
    font = get_font(file)
    return {letter for letter in letters if ord(letter) > 127 and not font.get_char_index(ord(letter))}
