/**
 * Names that no socket has: a deployment needs them for itself, or they would mislead. The first segment of every route of `api` is
 * among them, because `/{label}/{path}` is a socket's address on the same host.
 */
export const reservedLabels: ReadonlySet<string> = new Set([
  ...["www", "api", "app", "docs", "mail", "admin", "auth", "login", "portcullis"],
  ...["v1", "v2", "v3", "outbox", "confirm", "approve", "callback", "callbacks", "external", "invite", "console"],
  ...["healthz", "readyz", "metrics", "static", "assets", "twilio", "providers", "passkeys", "oauth", "status"],
]);
