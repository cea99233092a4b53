/** Every cap in one place, each with its reason (PROTOCOL.md 10). Bytes unless said otherwise. */
export const LIMITS = {
  /** Members of one attempt: every pair shares a mask, so work grows with the square (full pairwise graph). */
  cohort: 128,
  /** A control frame: 128 members x (two shares, two hashes, signature) in base64 stays under 128 KiB; a plan under 1 MiB. */
  controlFrame: 2 * 1024 * 1024,
  /** A plan as canonical JSON; topologies are a few KiB, one-hot categories a few hundred. */
  plan: 1024 * 1024,
  /** Model parameters: 4 bytes each on the wire, and one accumulator in memory. */
  parameters: 500_000_000,
  /** Values that one layer gives for one row: a batch of them must fit a node's memory, beside what others give. */
  activations: 100_000_000,
  /** Objects and lists within each other in a plan: what reads it calls itself for each. Levels. */
  nesting: 100,
  /** A model blob. */
  blob: 2 * 1024 * 1024 * 1024,
  /** A safetensors header; the format itself allows 100 MB, no model of ours needs one. */
  safetensorsHeader: 4 * 1024 * 1024,
  /** Names of partners, runs, tensors: characters. */
  name: 200,
  /** Free text in refusals: characters, so that a log line stays a line. */
  reason: 1000,
  /** Attempts at one round that may fail before the run does: beyond this something is wrong that waiting will not mend. */
  attempts: 20,
  rounds: 10_000,
  epochs: 1000,
  batch: 65_536,
  /** Weight cap W: sums of 128 weights must fit two 24-bit limbs with room for the loss scale. */
  weightCap: 1_000_000,
  /** Sessions waiting for their handshake, so that silent sockets cannot pile up: sockets. */
  handshakes: 256,
  /** A handshake must be finished in this time: milliseconds. */
  handshakeMs: 10_000,
  /** A session without a frame or pong for this long is dead: milliseconds. */
  silenceMs: 45_000,
  /** Of one identity, so that a chain of them is checked in a moment. */
  rotations: 100,
  /** Of all partners of today together: their list is an answer of under 4 MiB. */
  rotationList: 8000,
  /** Clock skew allowed in signed requests: milliseconds. */
  clockSkewMs: 5 * 60_000,
} as const;

/** Floors that no policy and no plan can lower (PROTOCOL.md 6). */
export const FLOORS = {
  /** Fewer survivors than three and a sum tells one partner about the other. */
  members: 3,
  /** Shamir threshold. */
  threshold: 3,
  /** Colluding partners assumed at least. */
  collusion: 1,
} as const;
