/** All commands of `tributary-server`. */
import { doctor } from '../doctor/command.ts';
import { backup, restore } from './backup.ts';
import { newKey } from './blob-key.ts';
import { check } from './check.ts';
import { rotateKey } from './rotate-key.ts';
import { start } from './start.ts';

export const COMMANDS = {
  start,
  doctor,
  backup,
  restore,
  check,
  'rotate-key': rotateKey,
  'new-key': newKey,
} as const;
