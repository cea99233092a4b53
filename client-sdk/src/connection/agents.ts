/** The agents of node:http that carry every request and socket of ours: direct, or through the proxy of the environment. */
import { type AgentOptions, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { findProxy, type ProxyServer } from './proxy.ts';
import { openTunnel } from './tunnel.ts';

const agents = new Map<string, HttpAgent>();

/**
 * Connections are kept open between requests and never keep the process alive by themselves; a socket that is upgraded
 * leaves its agent. @throws malformed for a proxy variable that holds no address
 */
export function agentFor(url: URL): HttpAgent {
  const proxy = findProxy(url);
  const secure = url.protocol === 'https:' || url.protocol === 'wss:';
  const key = JSON.stringify([secure, proxy?.origin, proxy?.authorization]);
  const found = agents.get(key) ?? create(secure, proxy);
  agents.set(key, found);
  return found;
}

function create(secure: boolean, proxy: ProxyServer | undefined): HttpAgent {
  const options: AgentOptions = { keepAlive: true };
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  if (!proxy) return agent;
  const connect = (target: ConnectionOptions, done: (error: Error | null, socket?: Socket) => void) => {
    openTunnel(proxy, target.host ?? 'localhost', Number(target.port)).then(
      (socket) => done(null, secure ? tlsConnect({ ...target, socket }) : socket),
      (error: Error) => done(error),
    );
  };
  // The documented hook for sockets of one's own; it may answer by its callback.
  return Object.assign(agent, { createConnection: connect });
}
