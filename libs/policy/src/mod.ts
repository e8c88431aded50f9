export {
  type Advice,
  type AdviceCode,
  type AdviceFacts,
  adviceCodes,
  type Severity,
  severities,
} from "./advice/advice.ts";
export { adviceMax, adviceOf } from "./advice/mod.ts";
export { isBehindProof } from "./bound.ts";
export type { Branch, Take } from "./composition.ts";
export { type During, duringOf, duringSchema, gatesOfRule, type StepUpRule } from "./during.ts";
export type { Enrolment } from "./gates/gate.ts";
export { relyingParty } from "./gates/passkey.ts";
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
export {
  countedGates,
  type GateConfig,
  type GateItem,
  type GateName,
  gateNames,
  isPrepared,
  promptOf,
} from "./gates/registry.ts";
export type { Item, PlacedGate } from "./items.ts";
export { begin, deadlineMs, isShut } from "./machine/begin.ts";
export type {
  Answer,
  Assurance,
  Effect,
  HandshakeEvent,
  IgnoreCause,
  Result,
  VerifyItem,
} from "./machine/events.ts";
export {
  authenticatorsOf,
  hasPaid,
  isMemberProven,
  isPassable,
  passedOf,
  standsOrFallsWith,
  waitingGate,
} from "./machine/progress.ts";
export {
  answersMax,
  branchesSchema,
  type DenyCause,
  denyCauses,
  type HandshakeState,
  handshakeStateSchema,
} from "./machine/state.ts";
export { askAgain, type Transition, transition } from "./machine/transition.ts";
export { type Failure, failures, type OnFailure } from "./on-failure.ts";
export { explore } from "./play/explore.ts";
export { type Exploration, explorationSchema, type Heard, type Simulation, simulationSchema } from "./play/result.ts";
export {
  type PlayFacts,
  playFactsSchema,
  type Script,
  type ScriptDocument,
  scriptSchema,
  stepsMax,
} from "./play/script.ts";
export { simulate } from "./play/simulate.ts";
export { needsOf, playable } from "./playable.ts";
export {
  leavesOf,
  type Policy,
  type PolicyDocument,
  policyDocumentSchema,
  policySchema,
  requiresKey,
  requiresTicket,
} from "./policy.ts";
export { stepUpPolicy } from "./step-up.ts";
export { issuesMax, type ParsedPolicy, type PolicyIssue, parsePolicy } from "./validate.ts";
export { issueCodes, type PolicyFault, type PolicyVerdict, validatePolicy } from "./validate-policy.ts";
export { webhooksOf } from "./webhooks.ts";
export { type Circumstances, needsRisk, staysOnItsWay, takeOf } from "./when/branches.ts";
export { type Conditions, type Risk, risks } from "./when/conditions.ts";
export { liesIn } from "./when/network.ts";
