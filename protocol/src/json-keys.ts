/**
 * The first key that an object in `json` holds twice, or undefined. `JSON.parse` keeps the last one in silence, other
 * readers the first: two parties would see different content under one hash. `json` must have parsed already.
 */
export function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '{') open.push(new Set());
    else if (char === '}') open.pop();
    else if (char === '"') {
      const start = at++;
      while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
      // In valid JSON a string is a key exactly when a colon follows it.
      let next = at + 1;
      while (/\s/.test(json.charAt(next))) next++;
      if (json[next] !== ':') continue;
      const key = JSON.parse(json.slice(start, at + 1)) as string;
      if (open.at(-1)!.has(key)) return key;
      open.at(-1)!.add(key);
    }
  }
  return undefined;
}
