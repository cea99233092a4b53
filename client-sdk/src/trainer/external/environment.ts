/** What a trainer program finds in its environment: nothing of the node's but these, so that no passphrase or token passes. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TMPDIR'];

/** @param own what the node's owner gives the program: `trainer.env` of node.yaml */
export function programEnvironment(
  own: Readonly<Record<string, string>>,
  ours: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => (ours[name] === undefined ? [] : [[name, ours[name]]]));
  return { ...Object.fromEntries(passed), ...own };
}
