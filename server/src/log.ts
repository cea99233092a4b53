import { TributaryError } from '@tributary/protocol';
import { type Logger, pino, stdSerializers } from 'pino';

/** JSON lines on standard error. Whatever could hold a secret is cut out, wherever it turns up. */
export function createLog(level: string, stream = pino.destination({ dest: 2, sync: true })): Logger {
  const secrets = [
    'authorization',
    'token',
    'secret',
    'seed',
    'invite',
    'passphrase',
    'password',
    'share',
    'shares',
  ];
  return pino(
    {
      name: 'tributary',
      level,
      serializers: { err: errorFields },
      redact: {
        paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `req.headers.${name}`]),
        censor: '[redacted]',
      },
    },
    stream,
  );
}

/** What has a code and a remedy needs no stack: a full disk is no fault of the program. Only `internal` shows where. */
function errorFields(error: unknown): object {
  if (!(error instanceof TributaryError) || error.code === 'internal')
    return stdSerializers.err(error as Error);
  const { code, message, remedy, cause } = error;
  const below = cause instanceof Error && !message.includes(cause.message) ? { cause: cause.message } : {};
  return { code, message, remedy, ...below };
}
