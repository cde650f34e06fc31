import { element } from "./dom.js";
import { highlight, utf16Offsets } from "./highlight.js";
import { texts } from "./languages.js";

/**
 * A document as readable HTML. `topLevel` is the heading level (1–6) for the document's topmost headings.
 * `show(range)` marks a passage, brings it into view and focus, and says whether it was there.
 */
export function readingView(source, topLevel) {
  const leaves = [];
  const offset = utf16Offsets(source.text);
  const leaf = (tag, start, end, attributes) => {
    const node = element(tag, attributes, source.text.slice(start, end));
    leaves.push({ node, start, end });
    return node;
  };
  const article = element("article", { class: "reading", lang: source.language });

  let page = null;
  for (const group of groups(completeBlocks(source, offset))) {
    const [first] = group;
    if (first.page && first.page !== page) {
      page = first.page;
      article.append(element("p", { class: "page-mark", lang: document.documentElement.lang }, texts.pageMark(page)));
    }
    article.append(build[first.kind]?.(group, leaf, topLevel, source.text) ?? leaf("p", first.start, first.end));
  }

  return {
    element: article,
    show(range) {
      const wanted = range ? { start: offset(range.start), end: offset(range.end) } : { start: 0, end: 0 };
      const [first] = highlight(leaves, wanted);
      if (first) bringToReader(first);
      return Boolean(first);
    },
  };
}

/** Whether the document opens with its own title, so that the page need not print it twice. */
export function opensWithTitle({ text, blocks, title }) {
  const [first] = blocks;
  if (first?.kind !== "heading") return false;
  const offset = utf16Offsets(text);
  return text.slice(offset(first.start), offset(first.end)).trim() === title.trim();
}

// Focus makes a screen reader start at the passage, and Tab go on from there.
function bringToReader(mark) {
  mark.tabIndex = -1;
  mark.focus({ preventScroll: true });
  mark.scrollIntoView({ block: "center" });
}

// Text that no block claims is still shown, as paragraphs, so that nothing is lost in silence.
function completeBlocks({ text, blocks }, offset) {
  const complete = [];
  let reached = 0;
  for (const block of blocks) {
    const start = offset(block.start);
    const end = offset(block.end);
    complete.push(...looseParagraphs(text, reached, start), { ...block, start, end });
    reached = Math.max(reached, end);
  }
  return [...complete, ...looseParagraphs(text, reached, text.length)];
}

// A lone bullet or number between blocks is punctuation, not text; hence two letters in a row.
function looseParagraphs(text, start, end) {
  const matches = text.slice(start, end).matchAll(/[^\n]*\p{L}{2}[^\n]*(?:\n[^\n]*\S[^\n]*)*/gu);
  return Array.from(matches, ({ 0: words, index }) => ({
    kind: "paragraph",
    start: start + index,
    end: start + index + words.length,
  }));
}

// List items that follow one another make one list, table rows one table; other blocks stand alone.
function groups(blocks) {
  const grouped = [];
  for (const block of blocks) {
    const joins = block.kind === "list_item" || block.kind === "table_row";
    if (joins && grouped.at(-1)?.[0].kind === block.kind) grouped.at(-1).push(block);
    else grouped.push([block]);
  }
  return grouped;
}

const build = {
  heading([{ start, end, level }], leaf, topLevel) {
    return leaf(`h${Math.min(Math.max(level ?? 1, 1) - 1 + topLevel, 6)}`, start, end);
  },

  list_item(items, leaf, topLevel, text) {
    const root = element("ul");
    const open = [{ level: items[0].level ?? 1, list: root }];
    for (const { start, end, level: given } of items) {
      const level = given ?? 1;
      while (open.length > 1 && level < open.at(-1).level) open.pop();
      const parent = open.at(-1).list.lastElementChild;
      if (parent && level > open.at(-1).level) {
        open.push({ level, list: parent.appendChild(element("ul")) });
      }
      const numbered = /^(\d+|[a-zæøå])[.)]\s/i.test(text.slice(start, end));
      open.at(-1).list.append(element("li", { class: numbered && "numbered" }, leaf("span", start, end)));
    }
    return root;
  },

  table_row(rows, leaf, topLevel, text) {
    const cells = ({ start, end }, tag, attributes) => {
      let position = start;
      return text.slice(start, end).split(" | ").map((cell) => {
        const from = position;
        position += cell.length + " | ".length;
        return leaf(tag, from, from + cell.length, attributes);
      });
    };
    const [header, ...rest] = rows.length > 1 ? rows : [null, ...rows];
    const table = element("table");
    if (header) table.append(element("thead", {}, element("tr", {}, ...cells(header, "th", { scope: "col" }))));
    table.append(element("tbody", {}, ...rest.map((row) => element("tr", {}, ...cells(row, "td")))));
    // A wide table scrolls on its own, by keyboard too, and the page does not.
    return element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": texts.table }, table);
  },
};
