/** What a start found half-done and what it did about it: gathered while it happens, told once, in words. */
import type { NoteRun } from './recover.ts';

export interface StartUp {
  readonly note: NoteRun;
  /** The model that a run goes on from is missing or damaged. */
  paused(run: string, model: string): void;
  /** The coordinator has the new key that a rotation had begun to give it. */
  rotated(): void;
  removed(what: { readonly spools: number; readonly models: number }): void;
  /** One sentence each; none after a first or a clean start. */
  lines(): readonly string[];
}

export function createStartUp(): StartUp {
  const said: string[] = [];
  return {
    note({ id, stage, head, attempts }, reason) {
      const attempt = `attempt ${attempts} of round ${head.round + 1}`;
      if (reason !== undefined)
        said.push(`Run ${id}: ${attempt} is void, the next one opens by itself. ${reason}`);
      if (reason !== undefined || stage.kind === 'gathering' || stage.kind === 'ended') return;
      const { secagg } = stage.open;
      const kept = 'updates' in secagg ? Object.keys(secagg.updates).length : 0;
      const phase = stage.kind === 'summing' ? 'the sum' : `phase ${secagg.phase}`;
      said.push(`Run ${id}: ${attempt} goes on in ${phase}, with ${counted(kept, 'update')} on disk.`);
    },
    paused(run, model) {
      said.push(
        `Run ${run} is paused: its model ${model} is missing or damaged in the folder blobs. ` +
          `Put the file back from a backup, then \`tributary runs resume ${run}\`; \`tributary-server check\` says more.`,
      );
    },
    rotated() {
      said.push('Finished the rotation of the coordinator’s key: the new one is in its place.');
    },
    removed({ spools, models }) {
      if (spools > 0) said.push(`Deleted the updates of ${counted(spools, 'former attempt')}.`);
      if (models > 0) said.push(`Deleted ${counted(models, 'model')} that nothing names.`);
    },
    lines: () => said,
  };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
