/** Where the two programs lie that people start by hand too. */
import { fileURLToPath } from 'node:url';

const beside = (entry: string, path: string): string =>
  fileURLToPath(new URL(path, import.meta.resolve(entry)));

/** `tributary-server` */
export const SERVER = beside('@tributary/server', '../bin/tributary-server.js');
/** `tributary` */
export const CLI = beside('@tributary/client-sdk', '../bin/tributary.js');

/** Same folder as this file, compiled. */
export const ours = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

/** As a URL, for `--import`. */
export const LEASH = new URL('./leash.js', import.meta.url).href;
