/** The way to the coordinator, step by step: own CA, proxy or DNS, TCP, TLS with its certificate. */
import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { type Finding, failed, failedBy, fine, warning } from '@tributary/protocol';
import { certificateRemedy, networkProblem } from '../connection/problems.ts';
import { findProxy } from '../connection/proxy.ts';
import { openTunnel } from '../connection/tunnel.ts';

const TCP_MS = 4000;
const DAY = 86_400_000;
const RENEW_DAYS = 14;

/** Empty where no own CA is set. Node passes over a file that it cannot read, with no more than a warning. */
export async function ownCa(path = process.env.NODE_EXTRA_CA_CERTS): Promise<Finding[]> {
  if (!path) return [];
  const remedy =
    '`export NODE_EXTRA_CA_CERTS=/path/to/ca.pem`, a file with the CA as PEM, then `tributary doctor`.';
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    return [failed('own CA', `NODE_EXTRA_CA_CERTS names ${path}, which cannot be read (${code}).`, remedy)];
  }
  try {
    const { subject, validTo } = new X509Certificate(text);
    const more = text.split('-----BEGIN CERTIFICATE-----').length - 2;
    const others = more > 0 ? ` and ${more} more` : '';
    return [fine('own CA', `${nameOf(subject)} (until ${validTo})${others}, from ${path}`)];
  } catch {
    return [failed('own CA', `${path} of NODE_EXTRA_CA_CERTS holds no certificate.`, remedy)];
  }
}

/** @returns findings until the first that failed */
export async function wayTo(url: URL): Promise<Finding[]> {
  const findings: Finding[] = [];
  let socket: Socket | undefined;
  try {
    socket = await reach(url, findings);
    if (url.protocol === 'https:') findings.push(await greet(url, socket));
  } catch (thrown) {
    findings.push(failedBy(findings.at(-1)?.check === 'dns' ? 'tcp' : 'network', thrown));
  } finally {
    socket?.destroy();
  }
  return findings;
}

async function reach(url: URL, findings: Finding[]): Promise<Socket> {
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const proxy = findProxy(url);
  if (proxy) {
    const socket = await openTunnel(proxy, hostname, port);
    findings.push(fine('proxy', `${proxy.origin} (${proxy.variable}) connects to ${hostname}:${port}`));
    return socket;
  }
  if (!isIP(hostname)) {
    try {
      const { address } = await lookup(hostname);
      findings.push(fine('dns', `${hostname} is ${address}`));
    } catch (thrown) {
      throw networkProblem(url, thrown as NodeJS.ErrnoException);
    }
  }
  const socket = tcpConnect({ host: hostname, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(TCP_MS) });
  } catch (thrown) {
    socket.destroy();
    const late = (thrown as Error).name === 'AbortError';
    throw networkProblem(url, late ? Object.assign(new Error(), { code: 'ETIMEDOUT' }) : (thrown as Error));
  }
  findings.push(fine('tcp', `${hostname}:${port} answers`));
  return socket;
}

/** Accepts any certificate, in order to tell about it: nothing is sent over this connection. */
async function greet(url: URL, socket: Socket): Promise<Finding> {
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const secure: TLSSocket = tlsConnect({
    socket,
    host: hostname,
    ...(isIP(hostname) ? {} : { servername: hostname }),
    rejectUnauthorized: false,
  });
  try {
    await once(secure, 'secureConnect', { signal: AbortSignal.timeout(TCP_MS) });
  } catch (thrown) {
    const { code = 'no answer' } = thrown as NodeJS.ErrnoException;
    return failed(
      'tls',
      `${url.origin} does not speak TLS (${code}).`,
      'Check port and scheme of the address with its operator; a plain coordinator needs a TLS-ending proxy.',
    );
  }
  const { issuer, valid_to: end } = secure.getPeerCertificate();
  const words = `certificate by ${issuer?.O ?? issuer?.CN ?? 'an unknown issuer'}, until ${end}`;
  if (!secure.authorized) {
    const { code } = secure.authorizationError as unknown as { code?: string };
    const why = code ?? String(secure.authorizationError);
    return failed(
      'tls',
      `The ${words}, is not trusted (${why}).`,
      certificateRemedy(why) ?? 'Ask the operator for a certificate that this machine trusts.',
    );
  }
  const days = Math.floor((Date.parse(end) - Date.now()) / DAY);
  if (days < RENEW_DAYS)
    return warning('tls', `${words}: ${days} days left.`, 'Tell the operator to renew the certificate.');
  return fine('tls', words);
}

/** The common name of an X.509 subject as Node writes it, else its first line. */
function nameOf(subject: string): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.split('\n')[0] ?? '';
}
