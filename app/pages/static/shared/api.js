import { serverSentEvents } from "./events.js";
import { goToSignIn } from "./signing_in.js";

/**
 * Something the reader must be told. `kind` picks the words (texts/*.js, under `errors`);
 * `detail` is the server's own explanation, when it gave one; `status` is 0 where none came.
 */
export class ServiceError extends Error {
  constructor(kind, detail = "", status = 0) {
    super(detail || kind);
    this.name = "ServiceError";
    this.kind = kind;
    this.detail = detail;
    this.status = status;
  }
}

/**
 * The answer to a question after the `messages` before it. `onEvent(name, data)` is told what happens
 * meanwhile: `stage`, `citation` and `token`, as the service streams them.
 */
export async function ask(question, messages, { signal, onEvent }) {
  const response = await send("/v1/ask", { ...asJson("POST", { question, ...(messages.length > 0 && { messages }), stream: true }), signal });
  try {
    for await (const { name, data } of serverSentEvents(response)) {
      if (name === "answer") return data;
      if (name === "error") throw serviceError(data.status, data);
      onEvent(name, data);
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ServiceError) throw error;
    throw new ServiceError(error instanceof SyntaxError ? "unexpected" : "offline");
  }
  throw new ServiceError("unexpected"); // it ended without an answer
}

/** Who asks, and what they may do, as GET /v1/caller gives it. */
export function fetchCaller() {
  return request("/v1/caller");
}

export function giveFeedback(answerId, verdict, reason) {
  return send("/v1/feedback", asJson("POST", { answer_id: answerId, verdict, ...(reason && { reason }) }));
}

export function fetchExamples(language, limit) {
  return request(`/v1/examples?${new URLSearchParams({ language, limit })}`);
}

/** Passages for a query, as GET /v1/search gives them; `parameters` are its own. */
export function search(parameters, signal) {
  return request(`/v1/search?${new URLSearchParams(parameters)}`, { signal });
}

/** How the words typed so far may go on; `parameters` are those of GET /v1/suggest. */
export function suggest(parameters, signal) {
  return request(`/v1/suggest?${new URLSearchParams(parameters)}`, { signal });
}

export function fetchDocument(id, signal) {
  return request(`/v1/documents/${encodeURIComponent(id)}`, { signal });
}

export function listDocuments(limit) {
  return request(`/v1/documents?limit=${limit}`);
}

/** Documents as GET /v1/documents gives them; `parameters` are its own. */
export function browseDocuments(parameters, signal) {
  return request(`/v1/documents?${new URLSearchParams(parameters)}`, { signal });
}

export function removeDocument(id) {
  return send(`/v1/documents/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export function readAgain(id) {
  return request(`/v1/documents/${encodeURIComponent(id)}/reindex`, { method: "POST" });
}

export function listJobs(limit, offset) {
  return request(`/v1/jobs?limit=${limit}&offset=${offset}`);
}

export function fetchCollections() {
  return request("/v1/collections");
}

export function listLeftOut(limit, offset) {
  return request(`/v1/left-out?limit=${limit}&offset=${offset}`);
}

export function fetchStatistics(days) {
  return request(`/v1/statistics?days=${days}`);
}

export function listFeedback(limit, offset) {
  return request(`/v1/feedback?limit=${limit}&offset=${offset}`);
}

function asJson(method, body) {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

/** The response to a request, which the service has not refused. Throws ServiceError, or what a signal aborts with. */
async function send(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("offline");
  }
  if (response.ok) return response;
  if (response.status === 401) return goToSignIn();
  throw serviceError(response.status, await response.json().catch(() => null));
}

async function request(address, options) {
  const response = await send(address, options);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("unexpected");
  }
}

const kinds = { 403: "forbidden", 404: "missing", 429: "busy", 503: "starting" };

function serviceError(status, problem) {
  const kind = kinds[status] ?? (status < 500 ? "refused" : "failed");
  return new ServiceError(kind, typeof problem?.detail === "string" ? problem.detail : "", status);
}
