"""A lighter site looks the same: what is dropped is what no page can use."""

import shutil
import sys
from pathlib import Path

import pydata_sphinx_theme
import pytest
from built_site import ROOT
from fontTools.ttLib import TTFont

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import lighter


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("p, .gone { margin: 0 }", "p{ margin: 0 }"),
        (".gone { margin: 0 } .gone p, p .gone { margin: 0 }", ""),
        (".used.gone { margin: 0 } .used:not(.gone) { margin: 0 }", ".used:not(.gone){ margin: 0 }"),
        ("[class=gone], :is(.gone, .used) { margin: 0 }", "[class=gone],:is(.gone, .used){ margin: 0 }"),
        ("@media print { .gone { margin: 0 } }", ""),
        ("@media print { .gone, .used { margin: 0 } }", "@media print{.used{ margin: 0 }}"),
        ("@supports (a: b) { @media print { .used { top: 0 } } }", "@supports (a: b){@media print{.used{ top: 0 }}}"),
        ("@font-face { src: url(a.ttf) } @keyframes gone { from { top: 0 } }",
         "@font-face { src: url(a.ttf) }@keyframes gone { from { top: 0 } }"),
        (".made-of-parts { margin: 0 }", ".made-of-parts{ margin: 0 }"),
        (".used { /* why */ top: 0;\n left: 0 } /* */ /*! a licence */", ".used{  top: 0;left: 0 }/*! a licence */"),
        (".used { content: \"}\" }", ".used{ content: \"}\" }"),
    ],
)  # fmt: skip
def test_a_style_keeps_what_may_be_used(style, expected):
    assert lighter.light_style(style, {"used"}, ("made-",)) == expected


def test_words_of_pages_and_scripts_are_used(tmp_path):
    (tmp_path / "page.html").write_text('<p class="one two-three">', encoding="utf-8")
    (tmp_path / "a.js").write_text("element.className = `four-${place} five`; x-1", encoding="utf-8")
    used, begun = lighter.words(tmp_path)
    assert {"one", "two-three", "five"} <= used
    assert begun == ("four-",)


def test_a_picture_keeps_its_drawing_to_a_hundredth_of_a_point():
    picture = (
        '<g transform="translate(1.005001 2) scale(0.015625 -0.015625)">'
        '<path d="M 10 20.123456 \nQ -0.004 5 7 8 \nz\n"/>'
        '<use x="3.14159" y="250" style="stroke-width: 0.123456"/></g>'
    )
    assert lighter.light_picture(picture) == (
        '<g transform="translate(1.01 2) scale(0.015625 -0.015625)"><path d="M10 20.12Q-0 5 7 8z"/>'
        '<use x="3.14" y="250" style="stroke-width: 0.123456"/></g>'
    )


def test_marks_of_one_style_say_it_once():
    alike = '<g clip-path="url(#p)">\n  <use x="1" style="fill: red"/>\n  <use x="2" style="fill: red"/>\n</g>'
    once = '<g clip-path="url(#p)" style="fill: red">\n<use x="1"/>\n<use x="2"/>\n</g>'
    assert lighter.light_picture(alike) == once
    other = alike.replace("red", "blue", 1)
    assert lighter.light_picture(other) == other.replace("\n  ", "\n")


def test_icons_in_use_stay_in_their_font(tmp_path):
    own = tmp_path / lighter.ICONS
    shutil.copytree(
        Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/vendor/fontawesome", own
    )
    style, font = next(own.rglob("all.min.css")), next(own.rglob("fa-solid-900.ttf"))
    style.write_text(
        lighter.light_style(style.read_text(encoding="utf-8"), {"fa-solid", "fa-rocket"}), encoding="utf-8"
    )
    before = font.stat().st_size
    lighter.light_icons(tmp_path)
    assert 0xF135 in TTFont(font).getBestCmap()
    assert 0xF0C1 not in TTFont(font).getBestCmap()
    assert font.stat().st_size < before / 20
    assert ".woff2" not in style.read_text(encoding="utf-8")
    assert "fa-solid-900.ttf" in style.read_text(encoding="utf-8")
