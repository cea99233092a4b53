/** Which call meets which fault. */
import type { Fault, Port } from './faults.ts';

export interface Faults {
  /** The fault that this call of the port meets, if any. */
  at(who: number, port: Port): Extract<Fault, { kind: 'crash' | 'refuse' }> | undefined;
  frame(node: number, way: 'up' | 'down'): Extract<Fault, { kind: 'frame' }> | undefined;
  transfer(
    node: number,
    port: 'bulk.download' | 'bulk.upload',
  ): Extract<Fault, { kind: 'transfer' }> | undefined;
}

/** @param active while faults may happen: they stop, so that the run can show that it recovers. */
export function createFaults(
  list: readonly Fault[],
  active: () => boolean,
  met: (fault: Fault) => void,
): Faults {
  const calls = new Map<string, number>();
  const byName = new Map<string, Fault[]>();
  for (const fault of list) {
    const name = nameOf(fault);
    if (name === null) continue;
    byName.set(name, [...(byName.get(name) ?? []), fault]);
  }
  function take(name: string): Fault | undefined {
    const count = (calls.get(name) ?? 0) + 1;
    calls.set(name, count);
    const fault = byName.get(name)?.find((one) => 'nth' in one && one.nth === count);
    if (!fault || !active()) return undefined;
    met(fault);
    return fault;
  }
  return {
    at: (who, port) => take(`${who} ${port}`) as Extract<Fault, { kind: 'crash' | 'refuse' }> | undefined,
    frame: (node, way) => take(`${node} ${way}`) as Extract<Fault, { kind: 'frame' }> | undefined,
    transfer: (node, port) =>
      take(`transfer ${node} ${port}`) as Extract<Fault, { kind: 'transfer' }> | undefined,
  };
}

/** Null for what is not met by a call. */
function nameOf(fault: Fault): string | null {
  switch (fault.kind) {
    case 'frame':
      return `${fault.node} ${fault.way}`;
    case 'transfer':
      return `transfer ${fault.node} ${fault.port}`;
    case 'crash':
    case 'refuse':
      return `${fault.who} ${fault.port}`;
    default:
      return null;
  }
}
