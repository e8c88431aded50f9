/**
 * Passwords, and words in them, that attackers try first: from the tops of published lists of leaked passwords, without what is
 * too short to be taken anyway, plus this product's own name. Whether a longer text is worth something without them is what counts.
 */
const words = `
password passwort passw0rd p@ssw0rd p@ssword motdepasse contrasena wachtwoord
qwertyuiop qwertyui qwertz1 qwerty azerty asdfghjkl asdfghjk zxcvbnm 1q2w3e4r5t 1q2w3e4r 1qaz2wsx qazwsxedc zaq12wsx q1w2e3r4
letmein letmein1 iloveyou administrator welcome trustno1 changeme changeit whatever superman batman spiderman starwars
sunshine princess football baseball basketball computer internet michelle jennifer charlie dragon monkey shadow master
samsung mustang corvette mercedes ferrari liverpool arsenal chelsea barcelona juventus manchester pokemon minecraft
blink182 jordan23 michael1 babygirl butterfly chocolate cheesecake elephant victoria security secret default
correcthorsebatterystaple correcthorse batterystaple test1234 testtest guest
portcullis opensesame
`
  .trim()
  .split(/\s+/)
  .sort((a, b) => b.length - a.length);

/** What is left over after the well-known words, as letters, must be worth something on its own. */
const lettersMin = 6;

export function isWellKnown(folded: string): boolean {
  const joined = folded.replaceAll(/[\s._-]/g, "");
  let rest = joined;
  for (const word of words) rest = rest.replaceAll(word, "");
  return rest.length < joined.length && rest.replaceAll(/[\P{L}]/gu, "").length < lettersMin;
}

/** `abcabcabcabcabc`, `aaaaaaaaaaaaaaa`: three times the same or more, the last one perhaps cut. */
export function isRepetition(text: string): boolean {
  for (let unit = 1; unit <= text.length / 3; unit += 1) {
    const times = Math.ceil(text.length / unit);
    if (text === text.slice(0, unit).repeat(times).slice(0, text.length)) return true;
  }
  return false;
}

const runs = [
  "abcdefghijklmnopqrstuvwxyz",
  "01234567890123456789",
  "qwertyuiopasdfghjklzxcvbnm",
  "qwertzuiopasdfghjklyxcvbnm",
];
const rows = [...runs, ...runs.map((run) => [...run].reverse().join(""))];
const runLengthMin = 4;

/** `abcdefghijklmno`, `12345678abcdefg`: nothing but pieces of the alphabet, of a row of keys, or of counting. */
export function isSequence(folded: string): boolean {
  let rest = folded;
  while (rest.length >= runLengthMin) {
    const piece = longestRun(rest);
    if (piece < runLengthMin) return false;
    rest = rest.slice(piece);
  }
  return true;
}

function longestRun(text: string): number {
  let longest = 0;
  for (const row of rows) {
    while (longest < text.length && row.includes(text.slice(0, longest + 1))) longest += 1;
  }
  return longest;
}
