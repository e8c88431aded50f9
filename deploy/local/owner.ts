/** An owner's view of the API, over HTTP, as a program of theirs would have it. */
export interface Owner {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  delete<T>(path: string): Promise<T>;
}

export interface Credentials {
  readonly email: string;
  readonly password: string;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  constructor(status: number, what: string, detail: string) {
    super(`${what}: ${status} ${detail}`);
    this.status = status;
  }
}

type Ask = <T>(method: string, path: string, body?: unknown) => Promise<T>;

/** @param origin what the API takes for its own page: PUBLIC_URL, even where it is reached by another address. */
function asker(
  url: string,
  origin: string,
  headers: Readonly<Record<string, string>>,
  onCookie?: (cookie: string) => void,
): Ask {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { origin, ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    if (!response.ok) throw new ApiError(response.status, `${method} ${path}`, text.slice(0, 500));
    for (const cookie of response.headers.getSetCookie()) onCookie?.(cookie.split(";", 1)[0] ?? "");
    return (text === "" ? {} : JSON.parse(text)) as T;
  };
}

/** @param bootstrapToken where sign-up is closed and this is the first owner. */
export async function signUp(
  url: string,
  credentials: Credentials,
  bootstrapToken: string | null,
  origin = url,
): Promise<void> {
  await asker(url, origin, {})("POST", "/v1/account", {
    ...credentials,
    ...(bootstrapToken === null ? {} : { bootstrapToken }),
  });
}

export async function signIn(
  url: string,
  credentials: Credentials & { readonly code?: string },
  origin = url,
): Promise<Owner> {
  let cookie = "";
  await asker(url, origin, {}, (given) => {
    cookie = given;
  })("POST", "/v1/sign-in", credentials);
  const ask = asker(url, origin, { cookie });
  return {
    get: (path) => ask("GET", path),
    put: (path, body) => ask("PUT", path, body),
    post: (path, body) => ask("POST", path, body ?? {}),
    patch: (path, body) => ask("PATCH", path, body),
    delete: (path) => ask("DELETE", path),
  };
}
