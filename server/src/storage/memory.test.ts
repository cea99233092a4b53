import { storeAcceptance } from './acceptance.ts';
import { createMemoryStore } from './memory.ts';

storeAcceptance('memory', { open: async () => createMemoryStore(), reopen: null });
