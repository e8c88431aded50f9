/** What the operations have in common: what is sent, and how the bus and the API each say it. */
export const atMs = Date.parse("2026-11-23T12:00:00.000Z");
export const at = "2026-11-23T12:00:00.000Z";
export const mine = { ownerId: "own_1", socketId: "sck_1" };
export const password = "a long enough password";
export const firstPage = { after: null, limit: 50 };
export const policy = { gates: [{ gate: "key" }] };
export const advice = [{ code: "relay", severity: "warning", path: "gates.1", message: "weak" }];
export const uri =
  "otpauth://totp/Portcullis:ann%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Portcullis";
/** Stands for the JSON form of an enrolment, which the QR tests look into. */
export const enrolment = "enrolment";
