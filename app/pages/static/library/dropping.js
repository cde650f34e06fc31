/**
 * Lets files and folders be dropped anywhere on the page. `dropped` is called with the files, those in folders
 * too, and the names of folders that could not be opened; `looking` before a folder is walked.
 */
export function takeDrops(veil, { dropped, looking }) {
  addEventListener("dragenter", (event) => {
    if (holdsFiles(event)) veil.hidden = false;
  });
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault(); // or the browser would leave the page and open the file
    event.dataTransfer.dropEffect = isBlocked() ? "none" : "copy";
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  addEventListener("drop", async (event) => {
    veil.hidden = true;
    if (!holdsFiles(event)) return;
    event.preventDefault();
    if (isBlocked()) return;
    // All of this is gone once the event is over, so it is taken before anything is waited for.
    const entries = Array.from(event.dataTransfer.items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = [...event.dataTransfer.files];
    if (!entries.some((entry) => entry.isDirectory)) {
      dropped(files, []);
      return;
    }
    looking();
    const walk = { files: [], unread: [] };
    for (const entry of entries) await collect(entry, walk);
    dropped(walk.files, walk.unread);
  });
}

function holdsFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

function isBlocked() {
  return Boolean(document.querySelector("dialog[open]"));
}

async function collect(entry, walk) {
  try {
    if (entry.isFile) {
      walk.files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    } else {
      for (const child of await children(entry)) await collect(child, walk);
    }
  } catch {
    walk.unread.push(entry.name);
  }
}

// A browser gives a folder's entries some at a time, and none when there are no more.
async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
