/**
 * Is the write-ahead log sound (sqlite.org/fileformat2.html, 4)? SQLite reads it up to the first frame whose checksum does
 * not fit and drops the rest without a word: right for a last transaction that a crash cut off, as nobody was told that it
 * is durable. But each transaction is synced before the next one begins. So if at least two transactions end behind that
 * frame, one that was acknowledged has been damaged since. (Damage in the very last one cannot be told from a torn write.)
 */
import { readFile } from 'node:fs/promises';

const HEADER = 32;
const FRAME_HEADER = 24;
/** The lowest bit of the magic number tells the byte order of the checksums. */
const MAGIC = 0x377f0682;

export interface WalDamage {
  /** Bytes from the start of the log. */
  readonly at: number;
  /** Acknowledged transactions from there on, at least. */
  readonly transactions: number;
}

/** Null when the log is sound, empty or missing. A log that is being written may look damaged: see `walDamage`. */
async function findDamage(path: string): Promise<WalDamage | null> {
  const log = await readFile(path).catch((cause) => {
    if (cause.code === 'ENOENT') return Buffer.alloc(0);
    throw cause;
  });
  if (log.length < HEADER + FRAME_HEADER) return null;
  const magic = log.readUInt32BE(0);
  const sum = checksums((magic & 1) === 1);
  const soundHeader = (magic & ~1) >>> 0 === MAGIC && sum.fits(log.subarray(0, HEADER - 8), log, HEADER - 8);
  const size = log.readUInt32BE(8);
  const page = size === 1 ? 65_536 : size;
  if (page < 512 || (page & (page - 1)) !== 0) return { at: 0, transactions: 1 };
  const salts = soundHeader ? log.subarray(16, 24) : log.subarray(HEADER + 8, HEADER + 16);
  let bad = soundHeader ? -1 : 0;
  let ended = 0;
  for (let at = HEADER; at + FRAME_HEADER + page <= log.length; at += FRAME_HEADER + page) {
    // What lies behind the present generation of the log is left over from an earlier one.
    if (log.compare(salts, 0, 8, at + 8, at + 16) !== 0) {
      if (bad < 0) return null;
      continue;
    }
    if (bad < 0) {
      const first = log.subarray(at, at + 8);
      const whole = Buffer.concat([first, log.subarray(at + FRAME_HEADER, at + FRAME_HEADER + page)]);
      if (!sum.fits(whole, log, at + 16)) bad = at;
    }
    const commits = log.readUInt32BE(at + 4) !== 0;
    if (bad >= 0 && commits) ended++;
  }
  return bad >= 0 && ended >= 2 ? { at: bad, transactions: ended - 1 } : null;
}

/** The running sum over header and frames: 32-bit words in pairs, all sums modulo 2^32. */
function checksums(bigEndian: boolean) {
  let [a, b] = [0, 0];
  return {
    fits(bytes: Buffer, log: Buffer, at: number): boolean {
      for (let i = 0; i < bytes.length; i += 8) {
        a = (a + (bigEndian ? bytes.readUInt32BE(i) : bytes.readUInt32LE(i)) + b) >>> 0;
        b = (b + (bigEndian ? bytes.readUInt32BE(i + 4) : bytes.readUInt32LE(i + 4)) + a) >>> 0;
      }
      return a === log.readUInt32BE(at) && b === log.readUInt32BE(at + 4);
    },
  };
}

const TRIES = 3;
const PAUSE_MS = 50;

/** Damage that stays: while another process writes, a read may see halves of two states. */
export async function walDamage(path: string): Promise<WalDamage | null> {
  let found = await findDamage(path);
  for (let again = 1; found && again < TRIES; again++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const next = await findDamage(path);
    if (next?.at !== found.at) found = next;
  }
  return found;
}
