import { randomBytes } from "node:crypto";
import type { identityOpen } from "@portcullis/contracts";
import type { z } from "zod";

export type OpenRequest = z.infer<(typeof identityOpen)["request"]>;

export function freshHid(edge = "edge-1"): string {
  return `${edge}.${randomBytes(16).toString("base64url")}`;
}

export interface OpeningOptions {
  readonly label: string;
  readonly path: string;
  readonly hid?: string;
  readonly query?: string;
  readonly claimedId?: string | null;
  readonly origin?: string | null;
  readonly address?: string;
  readonly opened?: boolean;
  readonly suite?: OpenRequest["suite"];
  readonly key?: OpenRequest["key"];
  readonly answers?: OpenRequest["answers"];
  readonly opening?: string;
  readonly parameters?: OpenRequest["parameters"];
  readonly ticket?: string | null;
  readonly parked?: string | null;
  readonly resumed?: OpenRequest["resumed"];
}

/** What `keys` asks when a box was opened. */
export function opening(options: OpeningOptions): OpenRequest {
  const { label, path, query = "", origin = null } = options;
  return {
    hid: options.hid ?? freshHid(),
    opening: options.opening ?? randomBytes(32).toString("base64url"),
    connection: { label, path, query, address: options.address ?? "192.0.2.1", origin },
    opened: options.opened ?? true,
    suite: options.suite ?? "647a",
    claimedId: options.claimedId ?? new URLSearchParams(query).get("id"),
    key: options.key ?? null,
    parked: options.parked ?? null,
    resumed: options.resumed ?? null,
    transcript: new Uint8Array(32),
    answers: options.answers ?? [],
    parameters: options.parameters ?? {},
    ticket: options.ticket ?? null,
  };
}
