/** A WebSocket server for tests that does the real handshake with its own key, and then whatever the test scripts. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  type Channel,
  createChannel,
  createWelcome,
  finishAsServer,
  type Hello,
  type Identity,
  identityFromSeed,
  type Prove,
  type ServerMessage,
  type SessionKeys,
  type Welcome,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { type WebSocket, WebSocketServer } from 'ws';

export interface Peer {
  readonly socket: WebSocket;
  readonly channel: Channel;
  readonly keys: SessionKeys;
}

export interface Script {
  /** Alters the signed welcome, or sends something of its own (return null). */
  welcome?: (welcome: Welcome, socket: WebSocket, hello: Hello) => object | null;
  /** After the handshake; the default says `ready`. */
  session?: (peer: Peer) => void;
  /** The key that signs; the default is the server's own. */
  signer?: Identity;
  http?: (request: IncomingMessage, response: ServerResponse) => void;
  /** Never answers at all. */
  silent?: boolean;
}

export interface ScriptedServer {
  readonly url: string;
  readonly identity: Identity;
  /** Sockets accepted so far. */
  readonly connections: () => number;
  /** Changes what the next sessions meet. */
  script: Script;
  /** Breaks every session. */
  drop(): void;
  close(): Promise<void>;
}

export const READY: ServerMessage = { type: 'ready', name: 'partner-1', role: 'partner', members: [] };

export async function startScriptedServer(script: Script = {}): Promise<ScriptedServer> {
  const identity = identityFromSeed(nodeCrypto, nodeRandom(32));
  const http = createServer((request, response) => server.script.http?.(request, response));
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  let connections = 0;
  sockets.on('connection', (socket) => {
    connections++;
    socket.on('error', () => {});
    if (!server.script.silent) greet(socket, server);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as { port: number };
  const server: ScriptedServer = {
    ...{ url: `http://127.0.0.1:${port}`, identity, script },
    connections: () => connections,
    drop() {
      for (const socket of sockets.clients) socket.terminate();
    },
    close: () =>
      new Promise((resolve) => {
        server.drop();
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
  return server;
}

function greet(socket: WebSocket, server: ScriptedServer): void {
  const { script } = server;
  socket.once('message', (first) => {
    const hello = JSON.parse(String(first)) as Hello;
    const ephemeral = { secret: nodeRandom(32), nonce: nodeRandom(32) };
    const signer = script.signer ?? server.identity;
    const welcome = createWelcome(nodeCrypto, signer, ephemeral, hello, 1, nodeRandom(16));
    const shown = script.welcome ? script.welcome(welcome, socket, hello) : welcome;
    if (shown === null) return;
    socket.send(JSON.stringify(shown));
    socket.once('message', (second) => {
      const prove = JSON.parse(String(second)) as Prove;
      const keys = finishAsServer(nodeCrypto, ephemeral, hello, shown as Welcome, prove);
      const channel = createChannel(nodeCrypto, keys, 'server');
      if (script.session) script.session({ socket, channel, keys });
      else socket.send(channel.seal(READY));
    });
  });
}
