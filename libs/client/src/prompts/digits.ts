/** Codes are shown in groups, and keyboards of some languages type full-width digits. */
export function digits(value: string): string {
  return value.normalize("NFKC").replace(/[\s-]/g, "");
}
