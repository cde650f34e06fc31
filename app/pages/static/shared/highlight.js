import { element } from "./dom.js";

/** `#120-187` as offsets, or null for anything else. */
export function parseRange(hash) {
  const match = /^#(\d{1,15})-(\d{1,15})$/.exec(hash);
  return match && { start: Number(match[1]), end: Number(match[2]) };
}

/**
 * The contract counts Unicode code points, JavaScript counts UTF-16 units, where a character
 * beyond U+FFFF (an emoji, say) takes two. Returns the function from the first count to the second.
 */
export function utf16Offsets(text) {
  const wide = Array.from(text.matchAll(/[\u{10000}-\u{10ffff}]/gu), (match, before) => match.index - before);
  return (codePoints) => Math.min(codePoints + countBelow(wide, codePoints), text.length);
}

function countBelow(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Marks [start, end) in `leaves`, each an element that holds exactly the text of its own [start, end),
 * and takes earlier marks away. Returns the marks in document order.
 */
export function highlight(leaves, { start, end }) {
  const marks = [];
  for (const leaf of leaves) {
    const text = leaf.node.textContent;
    const from = Math.max(start - leaf.start, 0);
    const to = Math.min(end, leaf.end) - leaf.start;
    if (from < to && text.slice(from, to).trim()) {
      const mark = element("mark", {}, text.slice(from, to));
      leaf.node.replaceChildren(text.slice(0, from), mark, text.slice(to));
      marks.push(mark);
    } else if (leaf.node.querySelector("mark")) {
      leaf.node.replaceChildren(text);
    }
  }
  return marks;
}
