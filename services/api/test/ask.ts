import { request } from "node:http";

export interface AskOptions {
  readonly method?: string;
  readonly host?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export interface Said {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** `fetch` writes no `Host` of somebody's choice. */
export function askAt(url: string, target: string, options: AskOptions = {}): Promise<Said> {
  const { method = "GET", host = "portcullis.example", headers = {}, body = "" } = options;
  const { hostname, port } = new URL(url);
  return new Promise<Said>((resolve, reject) => {
    const asked = request({ hostname, port, path: target, method, headers: { host, ...headers } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => {
        text += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
