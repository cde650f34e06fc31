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

export function ask(question, signal) {
  return request("/v1/ask", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ question }),
    signal,
  });
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
  return request(`/v1/documents/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export function readAgain(id) {
  return request(`/v1/documents/${encodeURIComponent(id)}/reindex`, { method: "POST" });
}

export function listJobs(limit, offset) {
  return request(`/v1/jobs?limit=${limit}&offset=${offset}`);
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

async function request(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("offline");
  }
  if (!response.ok) throw await problem(response);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("unexpected");
  }
}

const kinds = { 401: "forbidden", 403: "forbidden", 404: "missing", 429: "busy", 503: "starting" };

async function problem(response) {
  const kind = kinds[response.status] ?? (response.status < 500 ? "refused" : "failed");
  const body = await response.json().catch(() => null);
  return new ServiceError(kind, typeof body?.detail === "string" ? body.detail : "", response.status);
}
