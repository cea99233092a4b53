/** All checks of `tributary doctor`. It reads; it changes nothing and asks for no passphrase. */
import { access } from 'node:fs/promises';
import {
  type Check,
  type Finding,
  failed,
  failedBy,
  fine,
  runChecks,
  TributaryError,
  warning,
} from '@tributary/protocol';
import { isLoopback, requireSecureUrl } from '../connection/url.ts';
import { loadNodeConfig, type NodeConfig } from '../node/config.ts';
import { shellWord } from '../shell-word.ts';
import type { EngineChoice } from '../trainer/engine/names.ts';
import { coordinatorFindings, socketFinding } from './coordinator.ts';
import { ENGINE_LIMIT_MS, engineFindings } from './engines.ts';
import { machineChecks } from './machine.ts';
import { ownCa, wayTo } from './network.ts';
import { fileChecks } from './node-file.ts';
import { stateChecks } from './state.ts';

export interface ExamineOptions {
  /** Path of node.yaml; undefined checks the machine only. */
  readonly config: string | undefined;
  /** Instead of the coordinator that the node is enrolled with. */
  readonly coordinator: string | undefined;
}

const LIMIT_MS = 9000;

export async function examine({ config: path, coordinator }: ExamineOptions): Promise<Finding[]> {
  const early: Finding[] = [];
  let config: NodeConfig | undefined;
  try {
    if (path !== undefined) config = await loadNodeConfig(path);
  } catch (thrown) {
    early.push(configFault(path, thrown));
  }
  const checks = [
    ...machineChecks,
    ...(config?.trainer ? [] : [engineCheck(config?.engine ?? 'auto')]),
    ...(config && path ? [...fileChecks(config, path), ...stateChecks(config, path)] : []),
    ...networkChecks(coordinator ?? config?.enrolment.url, coordinator ? undefined : config?.enrolment.key),
  ];
  return [...early, ...(await runChecks(checks, LIMIT_MS))];
}

function configFault(path: string | undefined, thrown: unknown): Finding {
  const again = `tributary doctor --config ${shellWord(path ?? 'node.yaml')}`;
  if (thrown instanceof TributaryError && thrown.code === 'malformed')
    return failed('config', thrown.message, `Correct that in ${path}, then \`${again}\`.`);
  return failedBy('config', thrown);
}

function engineCheck(choice: EngineChoice): Check {
  return { name: 'engine', run: () => engineFindings(choice), limitMs: ENGINE_LIMIT_MS };
}

function networkChecks(address: string | undefined, pinned: string | undefined): Check[] {
  const ca: Check = { name: 'own CA', run: () => ownCa() };
  if (address === undefined) return [ca];
  return [
    ca,
    {
      name: 'network',
      async run() {
        const url = requireSecureUrl(address, true);
        const plain = plainHttp(url);
        const way = await wayTo(url);
        // What lies behind a broken way would only say the same again.
        if (way.some(({ level }) => level === 'failed')) return [...plain, ...way];
        const [facts, socket] = await Promise.all([coordinatorFindings(url, pinned), socketFinding(url)]);
        return [...plain, ...way, ...facts, socket];
      },
    },
  ];
}

function plainHttp(url: URL): Finding[] {
  if (url.protocol === 'https:') return [];
  if (isLoopback(url.hostname)) return [fine('address', `${url.origin}, on this machine`)];
  return [
    warning(
      'address',
      `${url.origin} is plain HTTP: everybody on the way sees which models move.`,
      'Ask the operator for an https:// address; `tributary node start --allow-insecure` goes on without.',
    ),
  ];
}

/** node.yaml in this folder, where nobody named one. */
export async function findConfig(given: string | undefined): Promise<string | undefined> {
  if (given !== undefined) return given;
  return access('node.yaml').then(
    () => 'node.yaml',
    () => undefined,
  );
}
