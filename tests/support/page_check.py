"""What a page owes its readers, as far as a browser can say: contrast, names, structure."""

from __future__ import annotations

from typing import Any

from selenium.webdriver import Chrome

#: WCAG 2.2, 1.4.3: text against what is behind it; large or bold text may have less.
CONTRAST, CONTRAST_OF_LARGE = 4.5, 3.0

_CHECK = """
const [least, leastOfLarge] = arguments, found = [];
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const [x, y, z] = [r, g, b].map(v => linear(v / 255));
  return .2126 * x + .7152 * y + .0722 * z;
};
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = numbers(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own) continue;
  const style = getComputedStyle(element), size = parseFloat(style.fontSize);
  const [one, two] = [light(numbers(style.color)), light(behind(element))].sort((a, b) => b - a);
  const ratio = (one + .05) / (two + .05);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? leastOfLarge : least))
    found.push(`contrast ${ratio.toFixed(2)}: ${element.textContent}`);
}
if (document.documentElement.scrollWidth > innerWidth) found.push('it scrolls to the side');
if (!document.documentElement.lang || !document.title) found.push('no language, or no title');
for (const name of ['header', 'main', 'footer', 'h1'])
  if (document.querySelectorAll(name).length !== 1) found.push(`not one ${name}`);
let before = 0;
for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
  const level = Number(heading.tagName[1]);
  if (level > before + 1) found.push(`a level is left out before ${heading.textContent}`);
  before = level;
}
for (const image of document.images) {
  if (!image.hasAttribute('alt')) found.push('an image without alt');
  if (!image.complete || !image.naturalWidth) found.push('an image that is not shown');
}
for (const table of document.querySelectorAll('table')) {
  if (!table.caption && !table.getAttribute('aria-labelledby') && !table.closest('section[aria-labelledby]'))
    found.push('a table without a name');
  if (table.querySelector('th:not([scope])')) found.push('a header of a table without a scope');
}
for (const name of document.querySelectorAll('[aria-labelledby]'))
  if (!document.getElementById(name.getAttribute('aria-labelledby'))) found.push('a name that is not there');
const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
if (new Set(ids).size !== ids.length) found.push('an id twice');
return found;
"""


def faults_of(driver: Chrome) -> list[Any]:
    """What is wrong with the page that is shown; nothing is, if it is empty."""
    found: list[Any] = driver.execute_script(_CHECK, CONTRAST, CONTRAST_OF_LARGE)
    return found
