/** The coordinator behind the way: who it says it is, its clock, and whether a control session could be opened. */
import {
  CoordinatorInfo,
  type Finding,
  failed,
  failedBy,
  fine,
  fingerprint,
  LIMITS,
  PROTOCOL_VERSION,
  validate,
  warning,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { WebSocket } from 'ws';
import { agentFor } from '../connection/agents.ts';
import { httpSend } from '../connection/http.ts';
import { networkProblem } from '../connection/problems.ts';

const MAX_INFO = 64 * 1024;
/** A request is refused beyond LIMITS.clockSkew; before that it is worth a word. */
const SKEW_MS = 60_000;
const UPGRADE_MS = 4000;

/** @param pinned key that this node enrolled with, where there is one */
export async function coordinatorFindings(base: URL, pinned: string | undefined): Promise<Finding[]> {
  let date: string | undefined;
  let info: CoordinatorInfo;
  const asked = Date.now();
  try {
    const body = await httpSend({
      method: 'GET',
      url: new URL('/v1/coordinator', base),
      maxBytes: MAX_INFO,
      silenceMs: UPGRADE_MS,
      onHeaders: (headers) => {
        date = headers.date;
      },
    });
    info = validate(CoordinatorInfo, parse(body), 'answer of the coordinator', 'unsupported-version');
  } catch (thrown) {
    return [failedBy('coordinator', thrown)];
  }
  const shown = fingerprint(nodeCrypto, info.key);
  const findings = [versions(info), ...clock(date, (asked + Date.now()) / 2)];
  if (pinned === undefined)
    findings.push(fine('key', `${shown}: compare it with what the operator told you`));
  else if (pinned === info.key) findings.push(fine('pinned key', `${shown}, as at the enrolment`));
  else
    findings.push(
      failed(
        'pinned key',
        `${base.origin} shows key ${shown}; enrolled was ${fingerprint(nodeCrypto, pinned)}.`,
        'Do not go on before you have asked the operator by telephone: a key that the old one signed for is accepted with `tributary node trust FINGERPRINT`; a coordinator that was set up anew needs `tributary node init INVITE` in a new folder.',
      ),
    );
  return findings;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}

function versions({ protocol, software }: CoordinatorInfo): Finding {
  const words = `version ${software}, protocol ${protocol}`;
  if (protocol === PROTOCOL_VERSION) return fine('coordinator', words);
  return failed(
    'coordinator',
    `${words}; this node speaks protocol ${PROTOCOL_VERSION}.`,
    'Upgrade the older side; `tributary --version` shows this one.',
  );
}

/** @param now this machine's clock in the middle of the request: milliseconds */
function clock(date: string | undefined, now: number): Finding[] {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return [];
  const skew = Math.round((now - theirs) / 1000);
  if (Math.abs(skew) * 1000 <= SKEW_MS)
    return [fine('clock', `within ${Math.max(1, Math.abs(skew))} s of the coordinator's`)];
  const way = skew > 0 ? 'ahead of' : 'behind';
  return [
    warning(
      'clock',
      `${Math.abs(skew)} s ${way} the coordinator's clock: signed requests are refused beyond some minutes.`,
      'Set the clock of this machine: `sudo timedatectl set-ntp true`. If it is right, tell the operator.',
    ),
  ];
}

/** Proxies that pass HTTP may still hold WebSockets up. */
export async function socketFinding(base: URL): Promise<Finding> {
  const url = new URL('/v1/session', base);
  url.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    handshakeTimeout: UPGRADE_MS,
    maxPayload: LIMITS.controlFrame,
    agent: agentFor(base),
  });
  try {
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return fine('websocket', 'opens');
  } catch (thrown) {
    const status = /Unexpected server response: (\d+)/.exec((thrown as Error).message)?.[1];
    if (status === undefined)
      return failedBy('websocket', networkProblem(base, thrown as NodeJS.ErrnoException));
    return failed(
      'websocket',
      `${base.origin} answers the upgrade with status ${status}.`,
      status === '404'
        ? 'Nodes use another address where people have a port of their own (--admin-port): ask the operator. A proxy in between must pass `Upgrade: websocket` for /v1/session.'
        : 'A proxy in between must pass `Upgrade: websocket` for /v1/session; ask those who run it.',
    );
  } finally {
    socket.on('error', () => {});
    socket.close();
    setTimeout(() => socket.terminate(), 500).unref();
  }
}
