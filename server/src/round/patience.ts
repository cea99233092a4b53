/**
 * When a phase stops waiting. The one knob is patience: seconds without progress; `maximum` bounds the whole phase and
 * `grace` is what stragglers get once a quorum has answered. Volatile: a restart arms it anew.
 */
export interface Timing {
  readonly patience: number;
  readonly grace: number;
  readonly maximum: number;
}

export interface Patience {
  readonly phaseSince: number;
  readonly progressSince: number;
  readonly quorumSince: number | null;
}

export type Verdict =
  | { readonly kind: 'wait'; readonly until: number }
  | { readonly kind: 'close'; readonly why: 'grace' | 'patience' | 'maximum' };

export function startPatience(now: number): Patience {
  return { phaseSince: now, progressSince: now, quorumSince: null };
}

export function noteProgress(patience: Patience, now: number, quorum: boolean): Patience {
  return { ...patience, progressSince: now, quorumSince: quorum ? (patience.quorumSince ?? now) : null };
}

/** Milliseconds throughout; the plan's timing is in seconds. */
export function judgePatience(patience: Patience, timing: Timing, now: number): Verdict {
  const maximum = patience.phaseSince + timing.maximum * 1000;
  const silence = patience.progressSince + timing.patience * 1000;
  const grace =
    patience.quorumSince === null ? Number.POSITIVE_INFINITY : patience.quorumSince + timing.grace * 1000;
  if (now >= grace) return { kind: 'close', why: 'grace' };
  if (now >= maximum) return { kind: 'close', why: 'maximum' };
  if (now >= silence) return { kind: 'close', why: 'patience' };
  return { kind: 'wait', until: Math.min(maximum, silence, grace) };
}
