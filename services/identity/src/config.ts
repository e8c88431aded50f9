import { choice, defineConfig, text, url } from "@portcullis/runtime";

export const identityConfig = defineConfig({
  signUp: {
    env: "SIGN_UP",
    type: choice(["open", "closed"]),
    default: "closed",
    describe:
      "who may open an account: anybody, or nobody but the first owner with the bootstrap token and who is invited to a socket",
  },
  bootstrapToken: {
    env: "BOOTSTRAP_TOKEN",
    type: text({ min: 24, max: 128 }),
    default: null,
    secret: true,
    describe:
      "lets the first owner sign up where sign-up is closed; unset: npm start makes one and prints it until there is an owner. A process of its own prints none, so set it there",
  },
  publicUrl: {
    env: "PUBLIC_URL",
    type: url(["http", "https"]),
    default: "http://localhost:8080",
    describe:
      "where owners reach the API, for the mails. Its host is whom passkeys are for, unless an owner names another for a member's; with an IP address there are none",
  },
});
