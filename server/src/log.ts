import { type Logger, pino } from 'pino';

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
      redact: {
        paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `req.headers.${name}`]),
        censor: '[redacted]',
      },
    },
    stream,
  );
}
