import { COORDINATOR, type Fault, type Instant } from './faults.ts';

export function describeFault(fault: Fault): string {
  const name = (who: number) => (who === COORDINATOR ? 'coordinator' : `node ${who}`);
  switch (fault.kind) {
    case 'crash':
      return `${name(fault.who)} dies ${fault.moment} call ${fault.nth} of ${fault.port}, for ${fault.down} ms`;
    case 'refuse':
      return `${name(fault.who)}: call ${fault.nth} of ${fault.port} meets a full disk`;
    case 'frame':
      return `node ${fault.node}: frame ${fault.nth} ${fault.way} is met by ${fault.what} (${fault.ms} ms)`;
    case 'transfer':
      return `node ${fault.node}: ${fault.port} ${fault.nth} is met by ${fault.what} (${fault.ms} ms)`;
    case 'kill':
      return `${name(fault.who)} dies after ${fault.at} ms, for ${fault.down} ms`;
    case 'pause':
      return `the run is paused ${after(fault.when)}, for ${fault.ms} ms`;
    case 'cancel':
      return `the run is cancelled ${after(fault.when)}`;
    case 'suspend':
      return `node ${fault.node} is suspended ${after(fault.when)}, for ${fault.ms} ms`;
    case 'reject':
      return `the owner of node ${fault.node} rejects the plan ${after(fault.when)}, for ${fault.ms} ms`;
    case 'stop':
      return `the owner of node ${fault.node} stops it ${after(fault.when)}, for ${fault.ms} ms`;
    case 'restore':
      return `a backup from ${after(fault.taken)} is restored ${after(fault.when)}, in ${fault.ms} ms`;
    case 'old-copy':
      return `what was before the restore is started ${after(fault.when)}, for ${fault.ms} ms${fault.lies ? ', and lies' : ''}`;
  }
}

function after({ port, nth }: Instant): string {
  return `after call ${nth} of ${port}`;
}
