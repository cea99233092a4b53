/**
 * The floor of an exchange: a bare node:http process that does what no coordinator can leave out, and nothing else.
 * PUT: spool + SHA-256 + fsync + rename + fsync of the folder + add; GET: a blob from memory. Prints its port, then its
 * CPU seconds on each line that it reads. Arguments: folder, words per update.
 */
import { createHash } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createAccumulator } from '@tributary/protocol/ring';

const [folder = '', words = '0'] = process.argv.slice(2);
const sum = createAccumulator(Number(words));
const model = Buffer.alloc(4 * Number(words));
let count = 0;

const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-length': model.length }).end(model);
    return;
  }
  const name = join(folder, `bare-${count++}`);
  const file = await open(`${name}.part`, 'w');
  const hash = createHash('sha256');
  for await (const chunk of request) {
    hash.update(chunk);
    await file.write(chunk);
  }
  hash.digest('hex');
  await file.sync();
  await file.close();
  await rename(`${name}.part`, name);
  const directory = await open(folder, 'r');
  await directory.sync();
  await directory.close();
  sum.add(await readFile(name), 0);
  response.end('{}');
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
createInterface({ input: process.stdin }).on('line', () => {
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${(user + system) / 1e6}\n`);
});
