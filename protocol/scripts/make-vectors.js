// Writes protocol/vectors/*.json. Run after `npm run build`: node protocol/scripts/make-vectors.js
// A change of these files is a change of the protocol: it needs a new version in PROTOCOL.md.
import { writeFileSync } from 'node:fs';
import { portableCrypto } from '../dist/crypto/index.js';
import { rotationVectors } from '../dist/rotation-vectors.js';
import { secaggVectors } from '../dist/secagg/vectors.js';

const write = (name, vectors) =>
  writeFileSync(new URL(`../vectors/${name}.json`, import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
write('secagg', secaggVectors(portableCrypto));
write('rotation', rotationVectors(portableCrypto));
