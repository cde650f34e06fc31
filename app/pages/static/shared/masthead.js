import { element } from "./dom.js";

const pages = { ask: "/", search: "/search", library: "/library" };

/** Fills the page's header: a way past it, the name, the three pages with `current` marked, and the languages. */
export function showMasthead(current = null) {
  document.querySelector("#masthead").append(
    skipLink(),
    element("a", { class: "wordmark", href: "/", "data-page": "/" }, "Kildesvar"),
    element("nav", { class: "pages", "data-label": "navigation" }, ...Object.keys(pages).map((name) => pageLink(name, current))),
    element("nav", { class: "languages", "data-label": "language" }, ...["nb", "nn", "en"].map(languageLink)),
  );
}

function skipLink() {
  const main = document.querySelector("main");
  main.tabIndex = -1;
  const link = element("a", { class: "skip", href: "#", "data-text": "skip" });
  link.addEventListener("click", (event) => {
    event.preventDefault(); // The hash may belong to a passage.
    main.focus();
  });
  return link;
}

function pageLink(name, current) {
  const path = pages[name];
  return element("a", { href: path, "data-page": path, "data-text": `pageNames.${name}`, "aria-current": name === current && "page" });
}

const ownNames = { nb: "Bokmål", nn: "Nynorsk", en: "English" };

function languageLink(code) {
  return element("a", { href: `?lang=${code}`, lang: code, hreflang: code, "data-language": code }, ownNames[code]);
}
