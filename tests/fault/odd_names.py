"""Names that look wrong and are not: every one can be committed, and comes back to the byte."""

# ruff: noqa: RUF001 - letters of other alphabets that look like ours are the point

from __future__ import annotations

from collections.abc import Iterator

_SCRIPTS = (
    "données", "größe", "smörgås", "żółć", "čeština", "ñandú", "ığdır", "ŝanĝo", "Đà_Nẵng", "данные", "дані",
    "ђак", "δεδομένα", "נתונים", "بيانات", "دادهها", "ڈیٹا", "डेटा", "ডেটা", "ਡੇਟਾ", "ડેટા", "தரவு", "డేటా",
    "ಡೇಟಾ", "ഡാറ്റ", "දත්ත", "ข้อมูล", "ຂໍ້ມູນ", "ဒေတာ", "ទិន្នន័យ", "გონება", "տվյալներ", "ዳታ", "ᏣᎳᎩ",
    "ᐃᓄᒃᑎᑐᑦ", "ᠮᠣᠩᠭᠣᠯ", "བོད་ཡིག", "数据", "數據", "データ", "ﾃﾞｰﾀ", "데이터", "자료", "ᚠᚢᚦᚨᚱᚲ", "𐌰𐌹𐌽𐍃", "𒀭𒂗𒆤", "𓀀𓂀",
    "𝔡𝔞𝔱𝔞", "𠜎𠜱𠝹",
)  # fmt: skip
_EMOJI = (
    "😀", "👩\u200d🔬", "🏳\ufe0f\u200d🌈", "👍🏽", "🇨🇭", "1\ufe0f⃣", "❤\ufe0f", "☃", "🧪📊",
    "👨\u200d👩\u200d👧\u200d👦",
)  # fmt: skip
_MARKS = (
    "e\u0301", "é", "a\u0308\u0323", "Z\u0351\u036b\u0343\u036a", "A\u030a", "Å", "ﬁt", "ﷺ", "½", "²", "ｆｕｌｌ",
)  # fmt: skip
_DEVICES = (
    "con", "CON", "nul", "NUL.txt", "prn", "aux", "aux.csv", "com1", "COM9.log", "lpt1", "CLOCK$", "conin$",
    "desktop.ini",
)  # fmt: skip
_REFS = (
    "HEAD", "main", "prod", "HEAD~1", "HEAD^", "main@{1}", "v1..v2", "@", "@{0}", "refs", "origin", "deadbeef",
    "0000000000000000000000000000000000000000000000000000000000000000", "HEAD@HEAD", "a@b@c", "x#y", "#", "##",
    "x#y#z", "HEAD:x", "last-good", "all", "format", "ops", "packs", "head.0", "lock",
)  # fmt: skip
_OPTIONS = (
    "-", "--", "-rf", "--help", "--json", "-m", "-n=1", "--=x", "---", "-é",
)  # fmt: skip
_SHELL = (
    "a b", " lead", "trail ", "  ", "tab\tin", "a'b", "a\"b", "`id`", "$(id)", "$HOME", "${x}", "a;b", "a|b",
    "a&b", "a>b", "a<b", "!x", "~", "~root", "~x", "*", "**", "?", "[a]", "[!a]", "[", "]", "{a,b}", "\xa0",
    "a\u3000b", "%", "%s", "%n%n", "%2e%2e", "%2e%2e%2fx", "=", "=1+1", "=cmd", "+1", "@SUM(1)", ",", ",,",
    "a,b", "a=b", "clinic=C", "kk:v pairs", "2024-01-01T10:00", "::", ":x", "<b>", "<!--", "&amp;", "(", ")",
    "^", "'", "\"", "''",
)  # fmt: skip
_DOTS = (
    ".a", "...", "....", "a.", "a..", "..a", "a..b", ".a.", ". a", ".gitignore", ".gitattributes",
    ".gitmodules", ".github", ".mlverignored", ".mlver2", ".git2", "git", "mlver", "git.exe", "a.git", ".gi",
    ".mlve", "_git", "~git", "git~", "git~x",
)  # fmt: skip
_CONTROL = (
    "new\nline", "\n", "cr\rx", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b[2J", "bell\x07",
    "back\x08space", "\x7f", "\x01", "c1\x85x", "\x9b31m", "\u2028", "\u2029", "rtl\u202egpj.exe", "\u202d",
    "\u2066iso\u2069", "\u200b", "\u200f", "soft\xadhyphen", "bom\ufeff", "�", "\ue000", "tag\U000e0041",
    "\U0010fffd",
)  # fmt: skip
_NAMES_OF_CODE = (
    "None", "null", "true", "NaN", "1e999", "0", "-0", "01", "inf", "undefined", "__init__", "__proto__",
    "constructor",
)  # fmt: skip
_TEMPLATES = (
    "{0}", "{}", "{{", "%(x)s", "[red]markup", "[-]", "[bold]", ":smile:", "{% x %}", "<%= x %>", "$1",
)  # fmt: skip
# apart on a disk that tells them apart, twins on others
_TWINS = ("Case", "case", "CASE", "straße", "STRASSE", "\ufb01", "fi")
_FAMILIES = (
    _SCRIPTS, _EMOJI, _MARKS, _DEVICES, _REFS, _OPTIONS, _SHELL, _DOTS, _CONTROL, _NAMES_OF_CODE, _TEMPLATES, _TWINS,
)  # fmt: skip


def _long() -> Iterator[str]:
    yield from ("x" * 255, "x" * 254 + " ", "é" * 127, "日" * 85, "😀" * 63, "e\u0301" * 85, "-" * 255, "." * 255)
    yield "a" * 200 + "." * 55


def odd() -> list[str]:
    """Return the names, each once."""
    found = dict.fromkeys(name for family in _FAMILIES for name in family)
    found |= dict.fromkeys(f"{name} v{number}.csv" for number, name in enumerate(_SCRIPTS))
    found |= dict.fromkeys(_long())
    return list(found)
