import { button, element } from "../shared/dom.js";

/** The small menu of a row: it opens beneath its button, and closes when anything else is pressed. */
export function rowMenu() {
  const menu = element("div", { class: "menu", popover: "auto" });
  let opener = null;

  menu.addEventListener("toggle", ({ newState }) => {
    opener?.setAttribute("aria-expanded", String(newState === "open"));
  });
  addEventListener("resize", () => menu.isConnected && menu.hidePopover());

  /** `entries` are [label, press, name] each, with a false one left out; `press` comes after the menu has closed. */
  function open(from, entries) {
    const wasOpen = opener === from && menu.matches(":popover-open");
    if (menu.isConnected) menu.hidePopover();
    if (wasOpen) return;
    opener = from;
    menu.replaceChildren(...entries.filter(Boolean).map(([label, press, name]) => entry(label, press, name)));
    from.after(menu); // so that Tab goes from the button into the menu, and on to the next row
    menu.showPopover({ source: from });
    place(from);
    menu.querySelector("button").focus();
  }

  function entry(label, press, name) {
    return button(label, () => {
      menu.hidePopover();
      opener.focus();
      press();
    }, { "data-entry": name });
  }

  // In the page's own coordinates, so that it scrolls with its row.
  function place(from) {
    const beside = from.getBoundingClientRect();
    const { width, height } = menu.getBoundingClientRect();
    const isRoomBelow = beside.bottom + height + 8 < innerHeight;
    const left = Math.max(8, Math.min(beside.right - width, document.documentElement.clientWidth - width - 8));
    menu.style.left = `${left + scrollX}px`;
    menu.style.top = `${(isRoomBelow ? beside.bottom + 4 : beside.top - height - 4) + scrollY}px`;
  }

  return { open };
}
