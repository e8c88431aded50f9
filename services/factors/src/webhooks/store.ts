import { ServiceError, type WebhookView, webhooksPerSocketMax } from "@portcullis/contracts";
import { type Collection, DuplicateError } from "@portcullis/documents";
import {
  type Clock,
  type Ids,
  type OutboundRule,
  outboundUrl,
  type Random,
  type Vault,
  VaultShutError,
} from "@portcullis/runtime";
import { type SocketWebhooks, type StoredWebhook, webhookPlace } from "./record.ts";
import { secretBytes } from "./signature.ts";

/** An endpoint with what it takes to speak to it. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  /** Those that are good now, the current one first. */
  readonly secrets: readonly Uint8Array[];
}

export interface Made {
  readonly webhook: WebhookView;
  readonly secret: Uint8Array;
}

/** Endpoints of sockets. Every method that names one finds it on its own socket only. */
export interface WebhookStore {
  /** @throws {ServiceError} `invalid`: an address that is never sent to, or one too many */
  mint(socketId: string, url: string, purpose: string | null): Promise<Made>;
  list(socketId: string): Promise<WebhookView[]>;
  /** Another secret; the one before stays good for a day. @throws {ServiceError} `not_found` */
  renew(socketId: string, id: string): Promise<Made>;
  /** Null where there is none, or where it cannot be opened. */
  find(socketId: string, id: string): Promise<Webhook | null>;
  /** @returns whether there was one */
  forget(socketId: string, id: string): Promise<boolean>;
  forgetSocket(socketId: string): Promise<void>;
}

export interface WebhookStoreOptions {
  readonly collection: Collection<SocketWebhooks>;
  readonly vault: Pick<Vault, "wrap" | "unwrap">;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly allow: readonly OutboundRule[];
}

const overlapMs = 24 * 3_600_000;
const writesMax = 8;
const urlMessage = "must be an https URL of the public internet, without credentials, port or fragment";

export function createWebhookStore(options: WebhookStoreOptions): WebhookStore {
  const { collection, vault, clock, ids, random, allow } = options;
  const seal = (bytes: Uint8Array, context: string) => Buffer.from(vault.wrap(bytes, context)).toString("base64url");
  const open = (sealed: string, context: string) => vault.unwrap(Buffer.from(sealed, "base64url"), context);
  const urlOf = (socketId: string, { id, url }: StoredWebhook) =>
    Buffer.from(open(url, webhookPlace(socketId, id, "url"))).toString("utf8");

  function freshSecret(socketId: string, webhookId: string) {
    const secret = random(secretBytes);
    if (secret.length !== secretBytes) throw new RangeError("the random source ran dry");
    const id = ids.id();
    return { secret, stored: { id, secret: seal(secret, webhookPlace(socketId, webhookId, id)), untilMs: null } };
  }

  function viewOf(socketId: string, webhook: StoredWebhook): WebhookView {
    const { id, purpose, createdAtMs, secrets } = webhook;
    const previousUntilMs = secrets.find(isPrevious)?.untilMs ?? null;
    return { id, url: urlOf(socketId, webhook), purpose, createdAtMs, previousUntilMs };
  }

  const isPrevious = ({ untilMs }: StoredWebhook["secrets"][number]) => untilMs !== null && clock() < untilMs;

  /** @param next null: nothing is to be written */
  async function change(
    socketId: string,
    next: (webhooks: StoredWebhook[]) => StoredWebhook[] | null,
  ): Promise<boolean> {
    for (let tries = 0; tries < writesMax; tries += 1) {
      const found = await collection.get(socketId);
      const webhooks = next(found?.body.webhooks ?? []);
      if (webhooks === null) return false;
      if (await write(socketId, found?.version ?? null, { webhooks })) return true;
    }
    throw new ServiceError("conflict");
  }

  async function write(socketId: string, version: number | null, body: SocketWebhooks): Promise<boolean> {
    if (version !== null) return (await collection.replace(socketId, version, body)) !== null;
    try {
      await collection.insert(socketId, body);
      return true;
    } catch (error) {
      if (error instanceof DuplicateError) return false;
      throw error;
    }
  }

  return {
    async mint(socketId, url, purpose) {
      if (outboundUrl(url, allow) === null)
        throw new ServiceError("invalid", { issues: [{ path: "url", message: urlMessage }] });
      const id = ids.id("hook");
      const { secret, stored } = freshSecret(socketId, id);
      const sealedUrl = seal(Buffer.from(url), webhookPlace(socketId, id, "url"));
      const webhook: StoredWebhook = { id, url: sealedUrl, purpose, createdAtMs: clock(), secrets: [stored] };
      const isMade = await change(socketId, (all) => (all.length < webhooksPerSocketMax ? [...all, webhook] : null));
      if (!isMade) {
        const message = `a socket has at most ${webhooksPerSocketMax} webhooks`;
        throw new ServiceError("invalid", { issues: [{ path: "url", message }] });
      }
      return { webhook: viewOf(socketId, webhook), secret };
    },

    async list(socketId) {
      const found = await collection.get(socketId);
      return (found?.body.webhooks ?? []).map((webhook) => viewOf(socketId, webhook));
    },

    async renew(socketId, id) {
      const { secret, stored } = freshSecret(socketId, id);
      let renewed: StoredWebhook | null = null;
      await change(socketId, (all) => {
        const before = all.find((each) => each.id === id);
        const [current] = before?.secrets ?? [];
        if (before === undefined || current === undefined) return null;
        // Of more than one before none is kept: to renew twice is how one gets rid of a secret that somebody else has.
        const after = { ...before, secrets: [stored, { ...current, untilMs: clock() + overlapMs }] };
        renewed = after;
        return all.map((each) => (each === before ? after : each));
      });
      if (renewed === null) throw new ServiceError("not_found");
      return { webhook: viewOf(socketId, renewed), secret };
    },

    async find(socketId, id) {
      const found = (await collection.get(socketId))?.body.webhooks.find((each) => each.id === id);
      if (found === undefined) return null;
      const live = found.secrets.filter((each) => each.untilMs === null || isPrevious(each));
      try {
        const secrets = live.map(({ id: secretId, secret }) => open(secret, webhookPlace(socketId, id, secretId)));
        return { id, url: urlOf(socketId, found), secrets };
      } catch (error) {
        if (error instanceof VaultShutError) throw error;
        return null;
      }
    },

    forget: (socketId, id) =>
      change(socketId, (all) => {
        const left = all.filter((each) => each.id !== id);
        return left.length === all.length ? null : left;
      }),

    async forgetSocket(socketId) {
      await collection.delete(socketId);
    },
  };
}
