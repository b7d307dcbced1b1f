// Typeset the formulas, which pages hold as TeX in marks such as \( and \).
for (const formula of document.querySelectorAll(".math")) {
  const tex = formula.lastChild, place = document.createElement("span"); // an equation's number stands before its TeX
  tex.replaceWith(place);
  const displayMode = formula.matches("div");
  katex.render(tex.textContent.trim().replace(/^\\[([]|\\[)\]]$/g, ""), place, { displayMode, throwOnError: false });
}
