import { button, element } from "./dom.js";
import { texts } from "./languages.js";

const told = 2000; // milliseconds that the button says what became of it

/** A button that copies what `write()` gives. */
export function copyButton(label, write, announce) {
  const control = button(label, async () => {
    const outcome = (await copy(write())) ? texts.copy.done : texts.copy.failed;
    announce(outcome);
    control.textContent = outcome;
    setTimeout(() => (control.textContent = label), told);
  }, { class: "quiet" });
  return control;
}

// The clipboard's own interface is there on secure pages only; on plain http in a house's own net, the old way is.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text) {
  const field = element("textarea", { class: "visually-hidden" });
  field.value = text;
  const before = document.activeElement;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus();
  return copied;
}
