/** A graceful end: requests under way may finish for a while, everything else is closed at once. */
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** An upload that is cut off comes again after the restart: milliseconds. */
const GRACE_MS = 5000;
const SWEEP_MS = 100;

export function installDrain(fastify: FastifyInstance, graceMs = GRACE_MS): void {
  const { server } = fastify;
  /** Sockets that have not asked for anything: Node counts them as busy, some clients keep one in reserve. */
  const silent = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', ({ socket }) => silent.delete(socket));

  fastify.addHook('preClose', async () => {
    if (!server.listening) return;
    const sweep = setInterval(() => {
      for (const socket of silent) socket.destroy();
      server.closeIdleConnections();
    }, SWEEP_MS);
    const end = setTimeout(() => server.closeAllConnections(), graceMs);
    server.once('close', () => {
      clearInterval(sweep);
      clearTimeout(end);
    });
  });
}
