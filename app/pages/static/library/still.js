const landmarks = "[data-still]";

/**
 * Makes a change that nobody asked for, so that what the reader looks at stays where it is:
 * what has focus, where that is in view, else the topmost landmark in view.
 */
export function holdStill(change) {
  const anchor = focused() ?? topmost();
  const before = anchor?.getBoundingClientRect().top;
  change();
  if (!anchor?.isConnected) return;
  const moved = anchor.getBoundingClientRect().top - before;
  // At the page's very top there is nothing above to make room in, and nothing was pushed from there.
  if (moved !== 0 && scrollY > 0) scrollBy({ top: moved, behavior: "instant" });
}

function focused() {
  const node = document.activeElement;
  return node && node !== document.body && isInView(node) ? node : null;
}

function topmost() {
  return [...document.querySelectorAll(landmarks)].find(isInView);
}

function isInView(node) {
  const { top, bottom, height } = node.getBoundingClientRect();
  return height > 0 && bottom > 0 && top < innerHeight;
}
