import { storeAcceptance } from './acceptance.ts';
import { rotationAcceptance } from './acceptance-rotations.ts';
import { createMemoryStore } from './memory.ts';

const adapter = { open: async () => createMemoryStore(), reopen: null };
storeAcceptance('memory', adapter);
rotationAcceptance('memory', adapter);
