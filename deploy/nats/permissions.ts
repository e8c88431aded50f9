import { busNameOf, inboxPrefixOf, payloadBytesMax, recipientOf } from "@portcullis/bus";
import { type Contract, type ServiceName, services, subjectPatternOf } from "@portcullis/contracts";

/** What one user of the bus may do; everything else is refused. */
export interface NatsPermissions {
  /** Subjects, with wildcards. */
  readonly publish: readonly string[];
  /** Subjects, with wildcards; `subject queue` where only members of the queue may listen. */
  readonly subscribe: readonly string[];
  /** Answers to requests that were delivered to this user: one each, for this long. 0: none. */
  readonly respondMs: number;
}

export interface NatsUser extends NatsPermissions {
  readonly user: string;
  /** Plain, or its bcrypt hash (`$2a$...`). */
  readonly password: string;
}

/** The verbs of the NATS services framework: what it subscribes to for `nats service ls|info|stats`. */
const serviceVerbs = ["PING", "STATS", "INFO"] as const;
/** An answer may be under way for a little longer than the caller waits. */
const respondMarginMs = 5_000;

function unique(subjects: readonly string[]): readonly string[] {
  return [...new Set(subjects)].sort();
}

function permissionsOf(self: ServiceName, contracts: readonly Contract[]): NatsPermissions {
  const name = busNameOf(self);
  const publish: string[] = [];
  const subscribe: string[] = [`${inboxPrefixOf(self)}.>`];
  let respondMs = 0;
  for (const contract of contracts) {
    const subject = subjectPatternOf(contract);
    if (contract.kind === "request") {
      if (contract.callers.includes(self)) publish.push(subject);
      if (contract.server !== self) continue;
      subscribe.push(`${subject} ${name}`);
      respondMs = Math.max(respondMs, contract.timeoutMs + respondMarginMs);
    } else {
      if (contract.publishers.includes(self)) publish.push(subject);
      if (recipientOf(contract) === self) subscribe.push(contract.shared ? `${subject} ${name}` : subject);
    }
  }
  if (respondMs > 0) {
    // Its own name only: an instance id follows, which the framework makes up.
    for (const verb of serviceVerbs) {
      subscribe.push(`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.*`);
    }
  }
  return { publish: unique(publish), subscribe: unique(subscribe), respondMs };
}

/**
 * The permissions of every service, generated from the contracts and from nothing else: a message that no contract names
 * cannot be sent, and a contract's parties are its only readers and writers.
 *
 * @throws {TypeError} an event has more than one subscriber service
 */
export function natsUsers(contracts: readonly Contract[]): Readonly<Record<ServiceName, NatsPermissions>> {
  const entries = services.map((service) => [service, permissionsOf(service, contracts)] as const);
  return Object.freeze(Object.fromEntries(entries) as Record<ServiceName, NatsPermissions>);
}

/** A person with `nats service ls`: may ask which services run and how they do, and nothing about what they say. */
export const operatorPermissions: NatsPermissions = {
  publish: serviceVerbs.flatMap((verb) => [`$SRV.${verb}`, `$SRV.${verb}.>`]),
  subscribe: ["_INBOX_operator.>"],
  respondMs: 0,
};

// The configuration language knows escapes and variables; nothing that could be one gets in.
function quoted(text: string, what: string): string {
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+( [A-Za-z0-9_-]+)?$/.test(text))
    throw new TypeError(`${what} does not fit into a configuration`);
  return `"${text}"`;
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((subject) => quoted(subject, "a subject")).join(", ")}]`;
}

function renderUser({ user, password, publish, subscribe, respondMs }: NatsUser): string {
  // To nats-server an empty `allow` allows everything.
  const rule = (subjects: readonly string[]) =>
    subjects.length === 0 ? '{ deny: [">"] }' : `{ allow: ${list(subjects)} }`;
  const lines = [`publish: ${rule(publish)}`, `subscribe: ${rule(subscribe)}`];
  if (respondMs > 0) lines.push(`allow_responses: { max: 1, expires: "${respondMs}ms" }`);
  return `    {
      user: ${quoted(user, "a user name")}
      password: ${quoted(password, "a password")}
      permissions: {
        ${lines.join("\n        ")}
      }
    }`;
}

export interface NatsConfigOptions {
  readonly users: readonly NatsUser[];
  readonly host: string;
  /** -1: any free port. */
  readonly port: number;
}

/** The text of a nats-server configuration: these users, nobody without a name, no monitoring port. */
export function renderNatsConfig({ users, host, port }: NatsConfigOptions): string {
  return `# Generated from the bus contracts. Do not edit: the next deployment overwrites it.
host: ${quoted(host, "the host")}
port: ${port}
max_payload: ${payloadBytesMax + 64 * 1024}
max_control_line: 4096
ping_interval: "20s"
write_deadline: "5s"
authorization: {
  timeout: 2
  users: [
${users.map(renderUser).join("\n")}
  ]
}
`;
}

/** The users of all services, named after them. @throws {TypeError} a password is missing */
export function serviceUsers(
  contracts: readonly Contract[],
  passwords: Readonly<Partial<Record<ServiceName, string>>>,
): readonly NatsUser[] {
  const permissions = natsUsers(contracts);
  return services.map((service) => {
    const password = passwords[service];
    if (password === undefined) throw new TypeError(`no password for ${service}`);
    return { user: service, password, ...permissions[service] };
  });
}
