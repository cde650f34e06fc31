import { element } from "../shared/dom.js";
import { placeText } from "./place.js";

const margin = 8;
const patience = 200; // milliseconds to reach the preview with the pointer before it goes

/** Shows a citation's quote when the citation is pointed at or focused. Escape takes it away (WCAG 1.4.13). */
export function startPreview(preview, container) {
  let shownFor = null;
  let leaving;

  function show(link) {
    clearTimeout(leaving);
    if (shownFor === link) return;
    shownFor?.removeAttribute("aria-describedby");
    shownFor = link;
    const { title, quote } = link.place;
    const where = placeText(link.place);
    preview.replaceChildren(
      element("p", { class: "quote" }, quote),
      element("p", { class: "where" }, [title, where].filter(Boolean).join(" · ")),
    );
    preview.showPopover();
    link.setAttribute("aria-describedby", preview.id);
    putBeside(preview, link);
  }

  function hide() {
    clearTimeout(leaving);
    shownFor?.removeAttribute("aria-describedby");
    shownFor = null;
    preview.hidePopover();
  }

  function hideSoon() {
    clearTimeout(leaving);
    leaving = setTimeout(hide, patience);
  }

  container.addEventListener("pointerover", (event) => {
    const link = event.target.closest(".citation");
    if (link && event.pointerType === "mouse") show(link);
    else if (shownFor) hideSoon();
  });
  container.addEventListener("pointerleave", hideSoon);
  preview.addEventListener("pointerenter", () => clearTimeout(leaving));
  preview.addEventListener("pointerleave", hideSoon);
  container.addEventListener("focusin", (event) => {
    if (event.target.matches(".citation:focus-visible")) show(event.target);
  });
  container.addEventListener("focusout", hide);
  container.addEventListener("click", hide);
  addEventListener("scroll", () => shownFor && putBeside(preview, shownFor), { passive: true });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !shownFor) return;
    event.stopImmediatePropagation(); // One press, one thing closed: the panel waits its turn.
    hide();
  });

  return { hide };
}

function putBeside(preview, link) {
  const place = link.getBoundingClientRect();
  const { width, height } = preview.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const left = Math.min(place.left, clientWidth - width - margin);
  const below = place.bottom + margin;
  const top = below + height <= clientHeight ? below : place.top - height - margin;
  preview.style.left = `${Math.max(margin, left)}px`;
  preview.style.top = `${Math.max(margin, top)}px`;
}
