/** The partners' processes, seen from outside. */
import type { Child, Children } from './children.ts';
import { DROP_ROUND, type Victim } from './drop.ts';
import { isAt } from './hold.ts';
import type { Enrol, Enrolled, Spoken } from './partner.ts';
import { ours } from './programs.ts';

export const EVALUATOR = 'evaluator';

export interface Partner {
  readonly name: string;
  readonly folder: string;
  readonly passphrase: string;
}

export interface NodeListener {
  /** What a node trains or evaluates with. */
  engine(engine: string): void;
  killed(name: string): void;
}

export interface StartedNode {
  readonly name: string;
  /** Of the key that it has made. */
  readonly fingerprint: string;
  /** Lets it accept the others and connect. */
  goOn(spoken: Spoken): void;
}

/** Resolves once the node has enrolled. A victim is killed when it says that it is where it is to die. */
export function startNode(
  children: Children,
  { name, folder, passphrase }: Partner,
  victim: Victim | undefined,
  invite: string,
  listener: NodeListener,
): Promise<StartedNode> {
  const place = victim && `${DROP_ROUND}:${victim.when === 'before' ? 'uploading' : 'uploaded'}`;
  return new Promise((resolve) => {
    const child: Child = children.start({
      name,
      args: [ours('partner')],
      env: { TRIBUTARY_PASSPHRASE: passphrase, ...(place ? { TRIBUTARY_DEMO_HOLD: place } : {}) },
      onMessage(message) {
        const { fingerprint } = message as Enrolled;
        resolve({ name, fingerprint, goOn: (spoken) => void child.process.send(spoken) });
      },
      onLine(line) {
        if (line.includes('"engine"')) listener.engine((JSON.parse(line) as { engine: string }).engine);
        if (place === undefined || !isAt(line, place)) return;
        child.expected = true;
        child.process.kill('SIGKILL');
        listener.killed(name);
      },
    });
    child.process.send({ invite, folder } satisfies Enrol);
  });
}
