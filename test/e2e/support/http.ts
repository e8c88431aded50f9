export interface Answer {
  readonly status: number;
  /** Of the problem document; null where it is none. */
  readonly code: string | null;
  readonly body: Readonly<Record<string, unknown>>;
  /** `name=value` of what was set, null where nothing was. */
  readonly cookie: string | null;
  /** The whole header. */
  readonly setCookie: string | null;
}

/** One request to the API, whatever becomes of it. */
export async function ask(
  url: string,
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  options: {
    readonly body?: unknown;
    readonly cookie?: string | undefined;
    /** `pct_…` */
    readonly token?: string;
    /** As a trusted proxy reports it. */
    readonly from?: string | undefined;
    /** Default: the API's own. */
    readonly origin?: string;
  } = {},
): Promise<Answer> {
  const { body, cookie, token, from, origin = url } = options;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      origin,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(cookie === undefined ? {} : { cookie }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(from === undefined ? {} : { "x-forwarded-for": from }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  const parsed: unknown = text === "" ? {} : JSON.parse(text);
  const given = typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
  const setCookie = response.headers.getSetCookie()[0] ?? null;
  return {
    status: response.status,
    code: !response.ok && typeof given.code === "string" ? given.code : null,
    body: given,
    cookie: setCookie?.split(";", 1)[0] ?? null,
    setCookie,
  };
}
