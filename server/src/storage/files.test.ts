import { expect, it } from 'vitest';
import { asFileError } from './files.ts';

const fault = (code: string, path: string) =>
  asFileError(Object.assign(new Error(code), { code, path }), `Reading ${path} failed`);

it.each(['/data/tributary.db', '/data/blobs/aa', '/data/spool/0a1b/member'])(
  'damage of %s is looked into with the folder that `check` takes',
  (path) => expect(fault('EBADMSG', path).remedy).toContain('tributary-server check --data /data`'),
);

it('a file that this user may not open, and one that is not there, are named as that', () => {
  expect(fault('EACCES', '/data/encryption.json').message).toContain('this user may not (EACCES)');
  expect(fault('ENOENT', '/nowhere/a.key')).toMatchObject({
    message: expect.stringContaining('is not there (ENOENT)'),
    remedy: expect.stringContaining('ls -ld /nowhere'),
  });
});
