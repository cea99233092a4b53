// Writes protocol/vectors/secagg.json. Run after `npm run build`: node protocol/scripts/make-vectors.js
// A change of this file is a change of the protocol: it needs a new version in PROTOCOL.md.
import { writeFileSync } from 'node:fs';
import { portableCrypto } from '../dist/crypto/index.js';
import { secaggVectors } from '../dist/secagg/vectors.js';

const target = new URL('../vectors/secagg.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(secaggVectors(portableCrypto), null, 2)}\n`);
