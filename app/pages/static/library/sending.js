import { texts } from "../shared/languages.js";
import { goToSignIn } from "../shared/signing_in.js";

/** Of the files that can be read, as index/readers has them (a test compares). */
export const EXTENSIONS = [
  ".csv", ".doc", ".docx", ".eml", ".htm", ".html", ".markdown", ".md", ".odp", ".ods", ".odt", ".pdf", ".pptx", ".rtf",
  ".text", ".tsv", ".txt", ".xhtml", ".xlsx",
];

const kinds = {
  403: "forbidden",
  404: "gone",
  409: "conflict",
  413: "tooLarge",
  415: "wrongType",
  429: "notReady",
  503: "notReady",
  507: "diskFull",
};

/** A file that did not arrive. `kind` picks the words (texts, under library.arrivals.errors). */
export class SendingError extends Error {
  constructor(kind, detail = "") {
    super(detail || kind);
    this.name = "SendingError";
    this.kind = kind;
    this.detail = detail;
  }

  get words() {
    const words = texts.library.arrivals.errors[this.kind];
    return typeof words === "function" ? words(/(\d+) MB/.exec(this.detail)?.[1]) : words;
  }
}

export function isReadable(name) {
  return EXTENSIONS.some((extension) => name.toLowerCase().endsWith(extension));
}

/**
 * Sends a file, as another version of the document that it `replaces` where one is named. `progressed` is called
 * with the share that is sent, 0 to 1. `collection` is the one that a new document goes into. `sent` resolves to the job's id; it rejects with a SendingError, and with
 * an AbortError after `cancel`.
 */
export function send(file, { replaces = null, collection = null, progressed = () => {} } = {}) {
  const request = new XMLHttpRequest(); // fetch does not tell how far it has come
  const sent = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", ({ loaded, total }) => progressed(total ? loaded / total : 0));
    request.addEventListener("load", () => {
      const jobId = request.status === 202 ? request.response?.job_id : null;
      if (jobId) resolve(jobId);
      else if (request.status === 401) resolve(goToSignIn());
      else reject(refusal(request));
    });
    request.addEventListener("error", () => reject(new SendingError(navigator.onLine ? "brokenOff" : "offline")));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
  });
  request.responseType = "json";
  if (replaces) request.open("PUT", `/v1/documents/${encodeURIComponent(replaces)}`);
  else request.open("POST", "/v1/documents");
  const form = new FormData();
  if (collection) form.append("collection", collection);
  form.append("file", file, file.name);
  request.send(form);
  return { sent, cancel: () => request.abort() };
}

function refusal({ status, response }) {
  const kind = kinds[status] ?? (status >= 400 && status < 500 ? "refused" : "failed");
  return new SendingError(kind, typeof response?.detail === "string" ? response.detail : "");
}
