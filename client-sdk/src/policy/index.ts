/** What the owner of a node allows. */
export { addsUp } from '../trainer/model/moments-checks.ts';
export {
  type Approvals,
  type Decision,
  hashesOf,
  judge,
  type PlanHashes,
  type Refusal,
  type Verdict,
} from './judge.ts';
export {
  type AllowedPlan,
  type EvaluatorPolicy,
  type PartnerPolicy,
  type Policy,
  parsePolicy,
} from './policy.ts';
export { policyRemarks } from './remarks.ts';
