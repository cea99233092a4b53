/** As `transport/ws/sessions.ts`: one message of a member at a time, refusals answered, the newer session wins. */
import {
  asTributaryError,
  type ClientMessage,
  type ServerMessage,
  TributaryError,
} from '@tributary/protocol';
import { type Clock, type Coordinator, createInstances, type Partners } from '@tributary/server/parts';
import type { DiskPorts } from '../disk/ports.ts';
import type { Session } from '../network.ts';
import type { Life } from '../process.ts';
import type { World } from '../world.ts';
import type { createLog } from './log.ts';

export interface Sessions {
  has(member: string): boolean;
  send(member: string, message: ServerMessage): boolean;
  broadcast(message: ServerMessage): void;
  /** Nothing that still arrives is looked at. */
  close(member: string): void;
  usePartners(given: Partners): void;
  accept(session: Session): void;
  up(session: Session, message: ClientMessage): void;
  lost(session: Session): void;
}

export function createSessions(
  world: World,
  life: Life,
  store: DiskPorts['store'],
  coordinator: Coordinator,
  clock: Clock,
  log: ReturnType<typeof createLog>,
): Sessions {
  const { network, ports, oracle } = world;
  const byMember = new Map<string, Session>();
  const queues = new Map<string, Promise<void>>();
  const closed = new Set<Session>();
  const isOpen = (session: Session): boolean => session.coordinatorOpen && !closed.has(session);
  let partners: Partners;
  const instances = createInstances(store, log, clock.now);

  function transmit(session: Session, message: ServerMessage): void {
    if (!isOpen(session)) return;
    ports.now(life, 'session.send', () => {
      oracle.said(message);
      network.send(session, 'down', message);
    });
  }

  async function connected(session: Session): Promise<void> {
    instances.began(session);
    const partner = await store.partnerByKey(session.member);
    if (partner?.status !== 'active') throw new TributaryError('forbidden', 'This partner was suspended.');
    await store.touchPartner(session.member, clock.now());
    const { name, role } = partner;
    transmit(session, { type: 'ready', name, role, members: await partners.members() });
    await coordinator.connected(partner);
  }

  async function handle(session: Session, message: ClientMessage): Promise<void> {
    try {
      if (!isOpen(session)) return;
      if (message.type === 'instance') await instances.report(session.member, message.instance);
      else await coordinator.message(session.member, message);
    } catch (thrown) {
      const { code, message: reason } = asTributaryError(thrown);
      if (code === 'internal' || code === 'identity-cloned')
        oracle.violation('refusal', `${message.type}: ${code} ${String(thrown)}`);
      if (code === 'storage-failed') throw thrown;
      transmit(session, { type: 'refused', of: message.type, code, reason: reason.slice(0, 1000) });
    }
  }

  function over(session: Session, thrown: unknown): void {
    const { code } = asTributaryError(thrown);
    if (code === 'internal') oracle.violation('session', String(thrown));
    network.end(session, 'soon');
  }

  return {
    has(member) {
      const session = byMember.get(member);
      return session !== undefined && isOpen(session);
    },
    usePartners(given) {
      partners = given;
    },
    close(member) {
      const session = byMember.get(member);
      if (!session) return;
      closed.add(session);
      network.end(session, 'soon');
    },
    send(member, message) {
      const session = byMember.get(member);
      if (session) transmit(session, message);
      return session !== undefined;
    },
    broadcast(message) {
      for (const session of byMember.values()) transmit(session, message);
    },
    accept(session) {
      const before = byMember.get(session.member);
      byMember.set(session.member, session);
      if (before?.coordinatorOpen) {
        before.coordinatorOpen = false;
        network.end(before, 'soon');
        instances.ended(before, false).catch((thrown) => over(session, thrown));
      }
      const queue = connected(session);
      queues.set(session.id, queue);
      queue.catch((thrown) => over(session, thrown));
    },
    up(session, message) {
      const queue = (queues.get(session.id) ?? Promise.resolve()).then(() => handle(session, message));
      queues.set(session.id, queue);
      queue.catch((thrown) => over(session, thrown));
    },
    lost(session) {
      queues.delete(session.id);
      instances.ended(session, false).catch((thrown) => over(session, thrown));
      if (byMember.get(session.member) !== session) return;
      byMember.delete(session.member);
      coordinator.disconnected(session.member);
    },
  };
}
