/** What the coordinator makes of a frame's content, and of the reason that it closes a session with. */
import { CLIENT_MESSAGES, type ClientMessage, TributaryError, validate } from '@tributary/protocol';

/** @throws malformed */
export function validateMessage(value: unknown): ClientMessage {
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined;
  const schema = typeof type === 'string' ? CLIENT_MESSAGES.get(type) : undefined;
  if (!schema) {
    const shown = typeof type === 'string' ? JSON.stringify(type.slice(0, 60)) : typeof type;
    throw new TributaryError('malformed', `A control message of unknown type ${shown}.`);
  }
  return validate(schema, value, `message ${type}`) as ClientMessage;
}

/** The close reason of a WebSocket holds 123 bytes. */
export function reasonOf(error: TributaryError): string {
  return Buffer.from(`${error.code}: ${error.message}`)
    .subarray(0, 120)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
}
