"""Keep on one line what reads as one: a number and its per cent sign, a symbol and its value, 'Fig.' and its number."""

import re

TOGETHER = re.compile(r"\d (?=%)|\b(?:Eqs?\.|Figs?\.|Table|Figure) (?=\d)| = $")
VALUE = re.compile(r" = (\S*)")
ELSEWHERE = "pre, code, script, style, svg, .math"


def unbreak(soup):
    """Change one parsed page in place; formulas and code have their own ways to break.

    Parameters
    ----------
    soup : bs4.BeautifulSoup
        The page.
    """
    for article in soup.select("article"):
        for symbol in article.select("span.math"):
            hold_value(soup, symbol)
        apart = {id(text) for tag in article.select(ELSEWHERE) for text in tag.find_all(string=True)}
        for text in article.find_all(string=TOGETHER):
            if id(text) not in apart:
                text.replace_with(TOGETHER.sub(lambda found: found[0].replace(" ", "\u00a0"), text))


def hold_value(soup, symbol):
    """Put a formula and what it is said to equal, a word or a computed value, into a box that no line breaks."""
    after = symbol.next_sibling
    equals = VALUE.match(after) if isinstance(after, str) else None
    if not equals:
        return
    box = symbol.wrap(soup.new_tag("span", attrs={"class": "held"}))
    if not equals[1] and after == equals[0] and after.next_sibling:
        box.extend([" = ", after.next_sibling.extract()])
        after.extract()
    else:
        box.append(equals[0])
        after.replace_with(after[equals.end() :])
