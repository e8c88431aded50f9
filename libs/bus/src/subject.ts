const token = "[A-Za-z0-9_$-]+";
const literal = new RegExp(`^${token}(?:\\.${token})*$`);
const wild = new RegExp(`^(?:(?:${token}|\\*)\\.)*(?:${token}|\\*|>)$`);
const subjectCharactersMax = 255;

/** @throws {TypeError} not a subject that can be sent to: tokens of `[A-Za-z0-9_$-]`, joined by dots, no wildcards */
export function checkSubject(subject: string): void {
  if (subject.length > subjectCharactersMax || !literal.test(subject)) throw new TypeError("not a bus subject");
}

/** @throws {TypeError} not a subject that can be subscribed to: as above, with `*` for one token and a last `>` for the rest */
export function checkPattern(pattern: string): void {
  if (pattern.length > subjectCharactersMax || !wild.test(pattern)) throw new TypeError("not a bus subject pattern");
}

export function isWild(pattern: string): boolean {
  return pattern.includes("*") || pattern.endsWith(">");
}

/** NATS semantics: `*` stands for exactly one token, `>` for one or more. */
export function matches(pattern: string, subject: string): boolean {
  if (!isWild(pattern)) return pattern === subject;
  const wanted = pattern.split(".");
  const given = subject.split(".");
  for (const [index, part] of wanted.entries()) {
    if (part === ">") return given.length > index;
    if (index >= given.length || (part !== "*" && part !== given[index])) return false;
  }
  return wanted.length === given.length;
}
