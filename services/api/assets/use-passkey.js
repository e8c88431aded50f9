// Of the page at a socket's address: what a device signs goes into the form, which then goes on as with a passphrase.
const form = document.querySelector("form");
const button = document.querySelector("#use-passkey");
const status = document.querySelector("#passkey-status");
const said = {
  waiting: "Waiting for your passkey…",
  none: "No passkey was used. Try again, or type your passphrase.",
  elsewhere: "Passkeys do not work at this address. Type your passphrase.",
  "too-many": "Too many attempts. Try again in a quarter of an hour.",
  unavailable: "Not available at the moment. Try again.",
};
let isBusy = false;

if (window.PublicKeyCredential && navigator.credentials) {
  button.hidden = false;
  button.addEventListener("click", () => void use());
}
// Whoever comes back to a page that the browser kept begins anew.
window.addEventListener("pageshow", () => settle(""));

async function use() {
  const name = form.elements.namedItem("id");
  if (isBusy || !name.reportValidity()) return;
  isBusy = true;
  // Not `disabled`, which would take the focus away.
  button.setAttribute("aria-disabled", "true");
  status.textContent = said.waiting;
  try {
    const begun = await begin(name.value);
    if (begun.failed !== undefined) return settle(begun.failed);
    const credential = await navigator.credentials.get({ publicKey: fromJson(begun.options) });
    form.elements.namedItem("signInId").value = begun.signInId;
    form.elements.namedItem("response").value = JSON.stringify(toJson(credential));
    // Past what the form requires: there is no passphrase.
    form.elements.namedItem("passphrase").value = "";
    form.submit();
  } catch (error) {
    settle(error instanceof DOMException && error.name === "SecurityError" ? said.elsewhere : said.none);
  }
}

function settle(text) {
  isBusy = false;
  button.removeAttribute("aria-disabled");
  status.textContent = text;
  for (const field of ["signInId", "response"]) form.elements.namedItem(field).value = "";
}

async function begin(id) {
  const answer = await fetch(location.href, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ begin: "passkey", id }),
    redirect: "error",
  }).catch(() => null);
  if (answer?.ok) return answer.json();
  const failed = { 400: said.elsewhere, 429: said["too-many"] };
  return { failed: failed[answer?.status] ?? said.unavailable };
}

// Not every browser that has passkeys has `parseRequestOptionsFromJSON` and `toJSON`.
function fromJson(options) {
  const allowCredentials = options.allowCredentials.map(({ id, type }) => ({ type, id: bytes(id) }));
  return { ...options, challenge: bytes(options.challenge), allowCredentials };
}

function toJson({ id, rawId, type, response }) {
  const { clientDataJSON, authenticatorData, signature } = response;
  return {
    id,
    rawId: text(rawId),
    type,
    response: {
      clientDataJSON: text(clientDataJSON),
      authenticatorData: text(authenticatorData),
      signature: text(signature),
    },
  };
}

function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
}

function text(buffer) {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
