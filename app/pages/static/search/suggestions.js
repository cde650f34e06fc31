import { documentAddress } from "../shared/addresses.js";
import { element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";

/**
 * Suggestions under the search field (the combobox pattern of WAI-ARIA). What is typed stays as it is until the
 * reader chooses: `chosen(text)` is then called, unless the suggestion is a place in a document, which opens.
 * `below()` takes the reader from the last suggestion, or from the field without any, into the hits.
 */
export function startSuggestions(field, list, { chosen, below, termAddress }) {
  let active = -1;

  function show(suggestions) {
    list.replaceChildren(...suggestions.map(option));
    list.hidden = suggestions.length === 0;
    list.scrollTop = 0;
    field.setAttribute("aria-expanded", String(!list.hidden));
    activate(-1);
  }

  function hide() {
    if (!list.hidden) show([]);
  }

  function option(suggestion, index) {
    const { text, kind } = suggestion;
    const kindName = texts.search.kinds[kind];
    const link = element(
      "a",
      { role: "option", id: `suggestion-${index}`, tabindex: "-1", "aria-selected": "false", href: address(suggestion) },
      element("span", { class: "text" }, text),
      kindName && element("span", { class: "kind" }, kindName),
    );
    if (!suggestion.document_id) link.term = text;
    return link;
  }

  function address(suggestion) {
    return suggestion.document_id ? documentAddress(suggestion, field.value.trim()) : termAddress(suggestion.text);
  }

  function activate(index) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = index;
    const link = list.children[active];
    link?.setAttribute("aria-selected", "true");
    link?.scrollIntoView({ block: "nearest" });
    if (link) field.setAttribute("aria-activedescendant", link.id);
    else field.removeAttribute("aria-activedescendant");
  }

  function move(event) {
    const count = list.children.length;
    if (event.key === "ArrowUp") {
      if (count === 0) return;
      activate(active < 0 ? count - 1 : active - 1);
    } else if (active + 1 < count) {
      activate(active + 1);
    } else {
      hide();
      below();
    }
    event.preventDefault();
  }

  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(event);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      list.children[active].click();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      hide();
    }
  });
  field.addEventListener("input", () => activate(-1)); // Enter is for what is typed now.
  field.addEventListener("blur", hide);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // Focus stays in the field.
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!link || !plain) return;
    hide();
    if (!link.term) return;
    event.preventDefault();
    chosen(link.term);
  });

  return { show, hide };
}
