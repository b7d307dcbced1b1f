// Order of the search: chapters, then the pages around them, then evidence and functions.
"use strict";

var Scorer = {
  score: ([docname, , , , score]) => {
    if (docname.startsWith("book/api")) return score - 100;
    if (docname.endsWith("-evidence")) return score - 10;
    return score + (docname.startsWith("chapters/") ? 20 : 0);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
