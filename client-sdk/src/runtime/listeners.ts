import { asTributaryError } from '@tributary/protocol';
import type { SessionEvent } from '../session/index.ts';

/** Events of a FederatedClient by name; the listener gets everything but `type`. */
export type ClientEvents = {
  readonly [E in SessionEvent as E['type']]: Omit<E, 'type'>;
};

export type Listener<T extends keyof ClientEvents> = (event: ClientEvents[T]) => void;
type AnyListener = (event: SessionEvent) => void;

export interface Listeners {
  on<T extends keyof ClientEvents>(type: T, listener: Listener<T>): () => void;
  emit(event: SessionEvent): void;
}

/** Synchronous and in order; a listener that throws is reported as a `warning` and holds up nobody. */
export function createListeners(): Listeners {
  const byType = new Map<string, Set<AnyListener>>();

  function emit(event: SessionEvent): void {
    for (const listener of byType.get(event.type) ?? []) {
      try {
        listener(event);
      } catch (thrown) {
        const { code, message } = asTributaryError(thrown);
        if (event.type !== 'warning')
          emit({ type: 'warning', code, message: `A listener of ${event.type} failed: ${message}` });
      }
    }
  }

  return {
    on(type, listener) {
      const listeners = byType.get(type) ?? new Set();
      byType.set(type, listeners);
      listeners.add(listener as unknown as AnyListener);
      return () => listeners.delete(listener as unknown as AnyListener);
    },
    emit,
  };
}
