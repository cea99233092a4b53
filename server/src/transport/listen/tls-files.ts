/** Certificate and key of the listener: read, checked before they are used, and read again when they were renewed. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { TributaryError } from '@tributary/protocol';

export interface TlsFiles {
  /** PEM: the server's certificate first, then those between it and its authority. */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
}

export interface LoadedTls {
  readonly context: SecureContextOptions;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** TLS 1.3 as it is; of TLS 1.2 what is forward secret and authenticated (RFC 9325, 4.2). */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

/** @throws storage-failed naming the file and what to do */
export async function loadTls(files: TlsFiles, now = Date.now()): Promise<LoadedTls> {
  const [cert, key] = [await read(files.cert, 'certificate'), await read(files.key, 'key')];
  await requirePrivate(files.key);
  const certificate = parse(files.cert, 'certificate', () => new X509Certificate(cert));
  const secret: KeyObject = parse(files.key, 'private key', () => createPrivateKey(key));
  const [from, expires] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (expires <= now)
    throw refused(
      `The certificate ${files.cert} expired on ${certificate.validTo}.`,
      'Renew it. A coordinator that runs takes the new one by itself; one that did not start is started again.',
    );
  if (from > now)
    throw refused(
      `The certificate ${files.cert} is not valid before ${certificate.validFrom}.`,
      'Set the clock of this machine, or wait.',
    );
  if (!certificate.checkPrivateKey(secret))
    throw refused(
      `The key ${files.key} does not belong to the certificate ${files.cert}.`,
      'Give the pair that was issued together; of a chain, the certificate of this server comes first.',
    );
  const context: SecureContextOptions = {
    ...{ cert, key, ciphers: CIPHERS },
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
  };
  parse(files.cert, 'certificate that OpenSSL takes', () => createSecureContext(context));
  return { context, expires };
}

async function read(path: string, what: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw refused(
      `The TLS ${what} ${path} cannot be read (${cause.code}).`,
      'Check the path, and that this user may read it.',
    );
  });
}

/** Ours: for us alone. Root's: also for a group that this process is in, as distributions set it up. */
async function requirePrivate(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode, uid } = await stat(path);
  const open = uid === 0 && process.getuid?.() !== 0 ? 0o037 : 0o077;
  if ((mode & open) !== 0)
    throw refused(
      `The key ${path} has mode ${(mode & 0o777).toString(8)}: others may read or change it.`,
      `Run: chmod 600 ${path}. If others use this machine, have a new key certified first.`,
    );
}

/** OpenSSL's words could quote a key: they are not shown. */
function parse<T>(path: string, what: string, make: () => T): T {
  try {
    return make();
  } catch {
    throw refused(
      `${path} holds no ${what}, in PEM and not encrypted.`,
      'It begins with -----BEGIN; convert or decrypt it with openssl.',
    );
  }
}

function refused(message: string, remedy: string): TributaryError {
  return new TributaryError('storage-failed', message, { remedy });
}

/** How often the files are looked at: milliseconds. */
const LOOK_MS = 5000;
const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

export interface TlsWatch {
  /** Reads both again; the old ones stay in use while the new ones do not fit together. */
  reload(): Promise<void>;
  stop(): void;
}

interface Log {
  info(about: object, text: string): void;
  warn(about: object, text: string): void;
}

/** Renewal writes two files one after the other: what does not fit is looked at again at the next change. */
export function watchTls(
  files: TlsFiles,
  first: LoadedTls,
  use: (tls: LoadedTls) => void,
  log: Log,
  lookMs = LOOK_MS,
): TlsWatch {
  let seen: string | null = null;
  let inUse = first;
  let noticed = 0;
  const notice = ({ expires }: LoadedTls): void => {
    noticed = Date.now();
    if (expires - Date.now() < SOON_MS)
      log.warn({ expires: new Date(expires).toISOString() }, 'the TLS certificate expires soon: renew it');
  };
  notice(first);
  async function reload(): Promise<void> {
    try {
      const tls = await loadTls(files);
      use(tls);
      inUse = tls;
      notice(tls);
      log.info({ audit: 'tls.reloaded', expires: new Date(tls.expires).toISOString() }, 'TLS files reloaded');
    } catch (error) {
      const { message, remedy } = error as TributaryError;
      log.warn({ reason: message, remedy }, 'new TLS files do not work: the old ones stay in use');
    }
  }
  async function look(): Promise<void> {
    // It may come near its end long after the start.
    if (Date.now() - noticed >= DAY_MS) notice(inUse);
    const stats = await Promise.all([stat(files.cert), stat(files.key)]).catch(() => null);
    const now = stats?.map(({ mtimeMs, ino, size }) => `${mtimeMs}/${ino}/${size}`).join(' ') ?? null;
    const changed = seen !== null && now !== null && now !== seen;
    if (now !== null) seen = now;
    if (changed) await reload();
  }
  const timer = setInterval(() => void look(), lookMs).unref();
  void look();
  return { reload, stop: () => clearInterval(timer) };
}
