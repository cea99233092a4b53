/** Faults of the network in words: what the operating system or TLS says, and what its reader can do about it. */
import { ERRORS, TributaryError } from '@tributary/protocol';
import { findProxy } from './proxy.ts';

const OWN_CA = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/** undefined for codes that are not about certificates. */
export function certificateRemedy(code: string | undefined): string | undefined {
  if (code === undefined) return undefined;
  if (OWN_CA.has(code))
    return 'If the certificate is of an authority of your organisation, or of the operator alone: `export NODE_EXTRA_CA_CERTS=/path/to/ca.pem`, then try again.';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return 'Check the clock of this machine with `tributary doctor`; if it is right, the operator must renew the certificate.';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'The certificate is of another name: check the address with its operator, then run `tributary doctor`.';
  return undefined;
}

const REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED:
    'Is the coordinator running (`tributary-server start`)? Check address and port; a node follows one that has moved with `tributary node coordinator URL`.',
  ECONNRESET:
    'If it speaks TLS, give its address with https://. Else try again: it may be starting; `tributary doctor` tests each step of the way.',
  ENOTFOUND:
    'Check the name in the address; behind a firewall set HTTPS_PROXY. `tributary doctor` tests each step of the way.',
};

/** @param error what node:http, node:tls or ws emitted for a request to `url` */
export function networkProblem(url: URL, error: NodeJS.ErrnoException): TributaryError {
  if (error instanceof TributaryError) return error;
  const why = error.code ?? 'the connection broke';
  const proxy = findProxy(url);
  const way = proxy ? ` through the proxy ${proxy.origin}` : '';
  return new TributaryError('unavailable', `${url.origin} cannot be reached${way} (${why}).`, {
    remedy: certificateRemedy(error.code) ?? REMEDIES[why] ?? ERRORS.unavailable.remedy,
    cause: error,
  });
}
