/**
 * Sessions between nodes and the coordinator. Frames keep their order as on one TCP connection, unless a fault says
 * otherwise: then a frame is lost or overtaken (and the session breaks a little later, as the counter of the sealed
 * channel has it), doubled or late, which the machines on both sides must bear though the channel would not let it through.
 */
import type { ClientMessage, ServerMessage } from '@tributary/protocol';
import type { Dice } from './dice.ts';
import type { Faults } from './faults/table.ts';
import type { Life } from './process.ts';
import type { Timeline } from './timeline.ts';

/** After so much silence a side gives a session up. */
const SILENCE_MS = 45_000;

export interface Session {
  readonly id: string;
  readonly node: number;
  readonly member: string;
  readonly nodeLife: Life;
  readonly coordinatorLife: Life;
  /** Each side's own view. */
  nodeOpen: boolean;
  coordinatorOpen: boolean;
  /** Frames of this direction vanish. */
  readonly dead: { up: boolean; down: boolean };
  readonly last: { up: number; down: number };
}

export interface NetworkHandlers {
  up(session: Session, message: ClientMessage): void;
  down(session: Session, message: ServerMessage): void;
  /** This side sees that the session is gone. Once each. */
  lostByCoordinator(session: Session): void;
  lostByNode(session: Session): void;
  trace(line: string): void;
}

export interface Network {
  open(ends: Pick<Session, 'id' | 'node' | 'member' | 'nodeLife' | 'coordinatorLife'>): Session;
  send(session: Session, way: 'up' | 'down', message: ClientMessage | ServerMessage): void;
  /** The coordinator's process, or its machine, is gone. */
  coordinatorDied(): void;
  /** Either side ends it; the other one notices soon, or after a long silence. */
  end(session: Session, noticed: 'soon' | 'late'): void;
}

interface NetworkDeps {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: Faults;
  readonly handlers: NetworkHandlers;
}

export function createNetwork({ timeline, dice, faults, handlers }: NetworkDeps): Network {
  const sessions = new Set<Session>();

  function deliver(session: Session, way: 'up' | 'down', text: string, at: number): void {
    timeline.after(at - timeline.now(), () => {
      const open = way === 'up' ? session.coordinatorOpen : session.nodeOpen;
      const life = way === 'up' ? session.coordinatorLife : session.nodeLife;
      if (!open || !life.alive || session.dead[way]) return;
      const message = JSON.parse(text);
      handlers.trace(`${session.node} ${way} ${message.type}`);
      if (way === 'up') handlers.up(session, message);
      else handlers.down(session, message);
    });
  }

  function lose(session: Session, side: 'node' | 'coordinator', ms: number): void {
    timeline.after(ms, () => {
      if (side === 'node') {
        if (!session.nodeOpen) return;
        session.nodeOpen = false;
        if (session.nodeLife.alive) handlers.lostByNode(session);
      } else {
        if (!session.coordinatorOpen) return;
        session.coordinatorOpen = false;
        if (session.coordinatorLife.alive) handlers.lostByCoordinator(session);
      }
    });
  }

  function end(session: Session, noticed: 'soon' | 'late'): void {
    const wait = noticed === 'soon' ? dice.between(0, 50) : SILENCE_MS;
    lose(session, 'node', wait);
    lose(session, 'coordinator', wait);
  }

  return {
    open(ends) {
      const session: Session = {
        ...ends,
        nodeOpen: true,
        coordinatorOpen: true,
        dead: { up: false, down: false },
        last: { up: 0, down: 0 },
      };
      sessions.add(session);
      return session;
    },
    coordinatorDied() {
      for (const session of sessions) end(session, dice.chance(0.85) ? 'soon' : 'late');
      sessions.clear();
    },
    send(session, way, message) {
      const text = JSON.stringify(message);
      const now = timeline.now();
      const fault = faults.frame(session.node, way);
      const latency = dice.between(1, 40);
      const inOrder = Math.max(session.last[way], now + latency);
      switch (fault?.what) {
        case undefined:
          session.last[way] = inOrder;
          return deliver(session, way, text, inOrder);
        case 'drop':
          timeline.after(fault.ms, () => end(session, 'soon'));
          return;
        case 'duplicate':
          session.last[way] = inOrder;
          deliver(session, way, text, inOrder);
          return deliver(session, way, text, now + latency + fault.ms);
        case 'reorder':
          timeline.after(2 * fault.ms, () => end(session, 'soon'));
          return deliver(session, way, text, now + latency + fault.ms);
        case 'delay':
          session.last[way] = inOrder + fault.ms;
          return deliver(session, way, text, inOrder + fault.ms);
        case 'half-open':
          session.dead[way] = true;
          if (fault.nth % 2 === 0) session.dead.up = session.dead.down = true;
          return end(session, 'late');
        case 'cut':
          deliver(session, way, text, inOrder);
          return end(session, 'soon');
      }
    },
    end,
  };
}
