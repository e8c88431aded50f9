export { adviceOf } from "./advice.ts";
export type { Enrolment } from "./gates/gate.ts";
export {
  type AnswerRule,
  answerByRule,
  normaliseAnswer,
  readAnswerRule,
  ruleBytesMax,
  ruleHelp,
  ruleWords,
} from "./gates/question/answer-rule.ts";
export { choiceOf, type Excerpt, excerptOf, statementOf } from "./gates/question/statement.ts";
export { type GateConfig, type GateItem, type GateName, gateNames, isPrepared, promptOf } from "./gates/registry.ts";
export type { Item, PlacedGate } from "./items.ts";
export { begin, deadlineMs } from "./machine/begin.ts";
export type {
  Answer,
  Assurance,
  Effect,
  HandshakeEvent,
  IgnoreCause,
  Result,
  VerifyItem,
} from "./machine/events.ts";
export { authenticatorsOf } from "./machine/progress.ts";
export { answersMax, type DenyCause, denyCauses, type HandshakeState, handshakeStateSchema } from "./machine/state.ts";
export { type Transition, transition } from "./machine/transition.ts";
export {
  leavesOf,
  type Policy,
  type PolicyDocument,
  policyDocumentSchema,
  policySchema,
  requiresKey,
} from "./policy.ts";
export { type ParsedPolicy, type PolicyIssue, parsePolicy } from "./validate.ts";
