import { connect } from "../connect.ts";
import { createGateElement, type GateElement } from "./element.ts";

export type { GateElement } from "./element.ts";
export type { GateEvents, GateState } from "./events.ts";
export { english, type Text, type TextKey, type Texts } from "./texts.ts";

/** The element of the SDK's own `connect`. Importing this module makes it known to the page as `<portcullis-gate>`. */
export const PortcullisGate: new () => GateElement = createGateElement(connect);

const name = "portcullis-gate";
if ("customElements" in globalThis && customElements.get(name) === undefined)
  customElements.define(name, PortcullisGate);

declare global {
  interface HTMLElementTagNameMap {
    "portcullis-gate": GateElement;
  }
}
