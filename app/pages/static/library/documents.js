import { documentAddress } from "../shared/addresses.js";
import { browseDocuments } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { formatName } from "../shared/formats.js";
import { language, languageName, texts } from "../shared/languages.js";
import { problemView, tryAgain } from "../shared/problem.js";
import { rowMenu } from "./menu.js";
import { formatDay, formatNumber } from "./numbers.js";
import { reasonView } from "./reasons.js";
import { holdStill } from "./still.js";
import { PAGE_SIZE, readView, viewAddress, viewQuery } from "./view.js";

const facts = ["title", "collection", "type", "language", "pages", "passages", "date", "updated"];
const sortable = { title: "title", passages: "passages", date: "date", updated: "updated" };
const typingPause = 250; // ms

/**
 * The documents: found by words, sorted, a page at a time, all as the address says.
 * `actions(document)` gives the entries of a row's menu, and is null where nothing may be done; `isBeingRead(id)`
 * whether a file of it is on its way; `hasCollections()` whether there are several to tell apart.
 */
export function documentsView(section, { announce, actions, isBeingRead, emptied, hasCollections }) {
  const heading = element("h2", { id: "documents-heading", tabindex: "-1", "data-still": true });
  const field = element("input", { type: "search", id: "filter", name: "q", autocomplete: "off", enterkeyhint: "search" });
  const fieldLabel = element("label", { for: "filter" });
  const chooser = element("select", { id: "sort" });
  const chooserLabel = element("label", { for: "sort" });
  const form = element(
    "form",
    { class: "finder", role: "search", action: "/library" },
    element("p", { class: "find" }, fieldLabel, field),
    element("p", { class: "sorting" }, chooserLabel, chooser),
  );
  const count = element("p", { class: "count" });
  const headings = element("tr", { role: "row" });
  const body = element("tbody", { role: "rowgroup" });
  const table = element(
    "table",
    { class: "documents", role: "table", "aria-labelledby": "documents-heading" },
    element("thead", { role: "rowgroup" }, headings),
    body,
  );
  const message = element("div", { class: "list-message", hidden: true });
  const pager = element("nav", { class: "pager" });
  section.append(heading, form, count, message, table, pager);

  const menu = rowMenu();
  const rows = new Map(); // by document
  let shown = null; // what the service gave last, and for which view
  let asked = null;
  let typing = null;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(find, typingPause);
  });
  chooser.addEventListener("change", () => {
    const [sort, order] = chooser.value.split("-");
    go({ sort, descending: order === "descending", page: 1 });
  });

  function find() {
    clearTimeout(typing);
    const words = field.value.trim();
    if (words === readView().words) return;
    // Letter by letter would make Back useless.
    history.replaceState(history.state, "", viewAddress({ words, page: 1 }));
    load();
  }

  async function go(changes) {
    history.pushState(null, "", viewAddress(changes));
    await load();
  }

  /** Shows what the address says. */
  async function load() {
    const view = readView();
    if (document.activeElement !== field) field.value = view.words;
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    section.setAttribute("aria-busy", "true");
    try {
      const answer = await browseDocuments(viewQuery(view), signal);
      const last = Math.max(1, Math.ceil(answer.total / PAGE_SIZE));
      if (view.page > last) {
        history.replaceState(history.state, "", viewAddress({ page: last }));
        await load();
        return;
      }
      const isNew = shown !== null && JSON.stringify(shown.view) !== JSON.stringify(view);
      shown = { view, ...answer };
      show();
      if (isNew) announce(count.textContent);
    } catch (error) {
      if (signal.aborted) return;
      shown = null;
      message.hidden = false;
      message.replaceChildren(problemView(error, tryAgain(load), "h3"));
      table.hidden = pager.hidden = true;
    } finally {
      if (asked.signal === signal) section.removeAttribute("aria-busy");
    }
  }

  /** Fetches again what is shown, without moving it; a failure leaves it as it is. */
  async function refresh() {
    const view = readView();
    try {
      const answer = await browseDocuments(viewQuery(view));
      if (JSON.stringify(view) !== JSON.stringify(readView())) return;
      if (answer.documents.length === 0 && view.page > 1) {
        await load();
        return;
      }
      shown = { view, ...answer };
      holdStill(show);
    } catch {
      // The next job that finishes comes here again.
    }
  }

  function show() {
    const words = texts.library.list;
    heading.textContent = words.heading;
    fieldLabel.textContent = words.filter;
    field.placeholder = words.filterHint;
    chooserLabel.textContent = words.sort;
    pager.setAttribute("aria-label", words.pages);
    if (!shown) return;
    const { view, documents, total } = shown;
    const isFiltered = view.words !== "";
    const isEmpty = total === 0 && !isFiltered;
    emptied(isEmpty);
    section.hidden = isEmpty;
    showSorts(view);
    showCount();
    showHeadings(view);
    showRows(documents);
    showPager(view, total);
    table.hidden = documents.length === 0;
    message.hidden = documents.length > 0;
    if (total === 0 && isFiltered) {
      const all = button(words.showAll, () => {
        field.value = "";
        find();
        field.focus();
      });
      message.replaceChildren(element("p", {}, words.noMatch(view.words)), element("p", { class: "actions" }, all));
    }
  }

  function showCount() {
    const words = texts.library.list;
    const { view, total, documents } = shown;
    const first = (view.page - 1) * PAGE_SIZE;
    const from = formatNumber(first + 1);
    const to = formatNumber(first + documents.length);
    const told = words.total(formatNumber(total), view.words !== "");
    count.textContent = total > PAGE_SIZE ? `${told} · ${words.range(from, to, formatNumber(total))}` : told;
  }

  function showSorts({ sort, descending }) {
    const options = Object.entries(texts.library.list.sorts);
    chooser.replaceChildren(...options.map(([value, label]) => element("option", { value }, label)));
    chooser.value = descending ? `${sort}-descending` : sort;
  }

  function showHeadings({ sort, descending }) {
    const hadFocus = document.activeElement?.dataset?.sort;
    const told = [...facts.filter((name) => name !== "collection" || hasCollections()), ...(actions ? ["actions"] : [])];
    headings.replaceChildren(...told.map((name) => columnHeading(name, sort, descending)));
    if (hadFocus) headings.querySelector(`[data-sort="${hadFocus}"]`)?.focus({ preventScroll: true });
  }

  function columnHeading(name, sort, descending) {
    const label = texts.library.list.columns[name];
    const key = sortable[name];
    const attributes = { scope: "col", role: "columnheader", class: `column-${name}` };
    if (name === "actions") return element("th", attributes, element("span", { class: "visually-hidden" }, label));
    if (!key) return element("th", attributes, label);
    const isCurrent = key === sort;
    // The first press brings what is mostly wanted first: A, the newest, the longest.
    const next = isCurrent ? !descending : key !== "title";
    const arrow = element("span", { class: "arrow", "aria-hidden": "true" }, isCurrent ? (descending ? "↓" : "↑") : "↕");
    const press = button(label, () => go({ sort: key, descending: next, page: 1 }), { "data-sort": key });
    press.append(arrow);
    return element("th", { ...attributes, "aria-sort": isCurrent && (descending ? "descending" : "ascending") }, press);
  }

  function showRows(documents) {
    const wanted = documents.map((source) => row(source));
    for (const [id, { node }] of rows) {
      if (wanted.includes(node)) continue;
      node.remove();
      rows.delete(id);
    }
    wanted.forEach((node, index) => {
      if (body.children[index] !== node) body.insertBefore(node, body.children[index] ?? null);
    });
  }

  // A row stays the same node as long as it says the same, so that focus and an open menu stay too.
  function row(source) {
    const reading = isBeingRead(source.id);
    const signature = JSON.stringify([source, reading, language, hasCollections(), location.search.includes("lang=")]);
    const before = rows.get(source.id);
    if (before?.signature === signature) return before.node;
    const node = rowView(source, reading);
    rows.set(source.id, { node, signature });
    if (before?.node.isConnected) {
      const focusedPart = before.node.contains(document.activeElement) && document.activeElement.dataset.part;
      before.node.replaceWith(node);
      if (focusedPart) node.querySelector(`[data-part="${focusedPart}"]`)?.focus({ preventScroll: true });
    }
    return node;
  }

  function rowView(source, reading) {
    const words = texts.library.list;
    const cell = (name, ...children) =>
      element(
        "td",
        { role: "cell", class: `column-${name}` },
        element("span", { class: "cell-label", "aria-hidden": "true" }, words.columns[name]),
        ...children,
      );
    const more = actions && button("⋯", () => menu.open(more, actions(source)), {
      class: "more",
      "aria-label": words.more(source.title),
      "aria-haspopup": "true",
      "aria-expanded": "false",
      "data-part": "more",
    });
    return element(
      "tr",
      { role: "row", "data-id": source.id, "data-still": true },
      element("td", { role: "cell", class: "column-title" }, ...titleParts(source, reading)),
      ...(hasCollections() ? [cell("collection", source.collection)] : []),
      cell("type", formatName(source.media_type)),
      cell("language", source.language ? languageName(source.language) : words.none),
      cell("pages", source.pages ? formatNumber(source.pages) : words.none),
      cell("passages", formatNumber(source.passages)),
      cell("date", source.date ? day(source.date) : words.none),
      cell("updated", day(source.updated_at)),
      actions && element("td", { role: "cell", class: "column-actions" }, more),
    );
  }

  function titleParts(source, reading) {
    const words = texts.library.list;
    const address = documentAddress({ document_id: source.id });
    return [
      element("a", { class: "document-link", href: address, lang: source.language, "data-part": "title" }, source.title),
      reading && element("span", { class: "reading-now" }, words.reading),
      element("span", { class: "path" }, source.uploaded ? `${words.uploaded}: ${fileName(source.source)}` : source.source),
      ...(source.notices ?? []).map((notice) =>
        element("span", { class: "row-notice" }, element("strong", {}, words.note), " ", reasonView(notice)),
      ),
    ];
  }

  function showPager({ page }, total) {
    const words = texts.library.list;
    const last = Math.max(1, Math.ceil(total / PAGE_SIZE));
    pager.hidden = last === 1;
    const hadFocus = pager.contains(document.activeElement) && document.activeElement.dataset.part;
    pager.replaceChildren(
      pageLink(words.previous, page - 1, page > 1, "previous"),
      element("span", {}, `${formatNumber(page)} / ${formatNumber(last)}`),
      pageLink(words.next, page + 1, page < last, "next"),
    );
    if (hadFocus) (pager.querySelector(`a[data-part="${hadFocus}"]`) ?? pager.querySelector("a"))?.focus({ preventScroll: true });
  }

  function pageLink(label, page, isThere, part) {
    if (!isThere) return element("span", { class: "page-link", "aria-hidden": "true" }, label);
    const link = element("a", { class: "page-link", href: viewAddress({ page }), "data-part": part, rel: part === "next" ? "next" : "prev" }, label);
    link.addEventListener("click", async (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      await go({ page });
      heading.scrollIntoView({ block: "start" });
    });
    return link;
  }

  /** Gives focus to what now stands where a removed document stood. */
  function focusNear(index) {
    const titles = body.querySelectorAll("a.document-link");
    const near = titles[Math.min(index, titles.length - 1)];
    if (near) near.focus();
    else if (!section.hidden) heading.focus();
    else document.querySelector("#choose-files")?.focus();
  }

  function indexOf(id) {
    return [...body.children].findIndex((node) => node.dataset.id === id);
  }

  function focusMenu(id) {
    rows.get(id)?.node.querySelector(".more")?.focus();
  }

  return { load, refresh, show, focusNear, focusMenu, indexOf, total: () => shown?.total ?? null };
}

function day(iso) {
  return element("time", { datetime: iso }, formatDay(iso));
}

function fileName(path) {
  return path.split(/[\\/]/).at(-1);
}
