/** What the list shows, as its address says: `q`, `sort`, `descending`, `page`. */
export const PAGE_SIZE = 25;

const sorts = ["title", "date", "updated", "passages"];
const plain = { words: "", sort: "title", descending: false, page: 1 };

export function readView() {
  const parameters = new URLSearchParams(location.search);
  const sort = parameters.get("sort");
  return {
    words: (parameters.get("q") ?? "").trim(),
    sort: sorts.includes(sort) ? sort : plain.sort,
    descending: parameters.get("descending") === "true",
    page: Math.max(1, Math.trunc(Number(parameters.get("page"))) || 1),
  };
}

/** The address of this page with `changes`; whatever else it says, as the language, stays. */
export function viewAddress(changes) {
  const view = { ...readView(), ...changes };
  const address = new URL(location.href);
  const said = { q: view.words, sort: view.sort, descending: String(view.descending), page: String(view.page) };
  const silent = { q: plain.words, sort: plain.sort, descending: String(plain.descending), page: String(plain.page) };
  for (const [name, value] of Object.entries(said)) {
    if (value === silent[name]) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  address.hash = "";
  return `${address.pathname}${address.search}`;
}

/** The parameters of GET /v1/documents for a view. */
export function viewQuery({ words, sort, descending, page }) {
  return {
    ...(words && { q: words }),
    sort,
    descending: String(descending),
    limit: String(PAGE_SIZE),
    offset: String((page - 1) * PAGE_SIZE),
  };
}
