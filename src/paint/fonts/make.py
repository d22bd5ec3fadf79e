#!/usr/bin/env python3
"""Makes the menu's fonts from Debian's fonts-inter and fonts-jetbrains-mono (needs fonttools): make.py

Subsets of Inter without layout features. fontdue kerns by the old `kern` table only, so the pairs of the
commonest letters are copied there from GPOS.
"""

from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables._k_e_r_n import KernTable_format_0

HERE = Path(__file__).parent
INTER = Path("/usr/share/fonts/opentype/inter")
MONO = Path("/usr/share/fonts/truetype/jetbrains-mono")
SYMBOLS = "←→↑↓↵•·–—…‘’“”„‹›€™−×✓"
# Latin with its first extensions (Romanian, Vietnamese and Pinyin among them), Greek and Cyrillic.
LETTERS = [
    *range(0x20, 0x7F), *range(0xA0, 0x180), 0x1A0, 0x1A1, 0x1AF, 0x1B0, *range(0x1CD, 0x1DD), *range(0x218, 0x21C),
    *range(0x1E80, 0x1E86), 0x1E9E, *range(0x1EA0, 0x1EFA), 0x300, 0x301, 0x303, 0x309, 0x323,
    *range(0x370, 0x400), *range(0x400, 0x460), 0x490, 0x491, *map(ord, SYMBOLS),
]
KERNED = [*range(0x20, 0x7F), *range(0xC0, 0x100), *map(ord, "–—…’")]
# Units of 1/2048 em: less than this is under a third of a pixel at 72 px.
SMALLEST = 10


def first(entries):
    """The advance that one pair gets: the first lookup that knows it wins."""
    return next((value for value in entries if value is not None), 0)


def advance(subtable, left, right):
    if left not in subtable.Coverage.glyphs:
        return None
    if subtable.Format == 1:
        pairs = subtable.PairSet[subtable.Coverage.glyphs.index(left)].PairValueRecord
        return next(((pair.Value1.XAdvance if pair.Value1 else 0) for pair in pairs if pair.SecondGlyph == right), None)
    record = subtable.Class1Record[subtable.ClassDef1.classDefs.get(left, 0)]
    value = record.Class2Record[subtable.ClassDef2.classDefs.get(right, 0)].Value1
    return getattr(value, "XAdvance", 0) if value else 0


def kerning(font):
    gpos, names = font["GPOS"].table, font.getBestCmap()
    wanted = {i for f in gpos.FeatureList.FeatureRecord if f.FeatureTag == "kern" for i in f.Feature.LookupListIndex}
    subtables = [getattr(s, "ExtSubTable", s) for i in sorted(wanted) for s in gpos.LookupList.Lookup[i].SubTable]
    subtables = [s for s in subtables if s.LookupType == 2]
    glyphs = sorted({names[code] for code in KERNED if code in names})
    pairs = {(a, b): first(advance(s, a, b) for s in subtables) for a in glyphs for b in glyphs}
    return {pair: value for pair, value in pairs.items() if abs(value) >= SMALLEST}


def make(source, target, codes):
    font = TTFont(source)
    pairs = kerning(font) if "GPOS" in font and target.startswith("Inter") else {}
    options = Options()
    options.layout_features, options.hinting, options.desubroutinize = [], False, True
    options.notdef_outline, options.name_IDs, options.drop_tables = True, [0, 1, 2, 4, 13, 14], ["GPOS", "GSUB", "GDEF", "STAT", "DSIG"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    if pairs:
        table = KernTable_format_0()
        table.kernTable, table.coverage, table.apple, table.version, table.tupleIndex = pairs, 1, False, 0, None
        font["kern"] = newTable("kern")
        font["kern"].version, font["kern"].kernTables = 0, [table]
    font.save(HERE / target)
    print(target, (HERE / target).stat().st_size, "bytes,", len(pairs), "pairs")


make(INTER / "InterDisplay-Bold.otf", "InterDisplay-Bold.otf", LETTERS)
make(INTER / "Inter-Medium.otf", "Inter-Medium.otf", LETTERS)
make(MONO / "JetBrainsMono-Medium.ttf", "JetBrainsMono-Medium.ttf", [*range(0x20, 0x7F), *range(0xA0, 0x100), *map(ord, "‘’“”–—…•")])
