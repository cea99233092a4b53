/** Real programs in processes of their own: what each of them does is a mode of fixtures/program.js. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { ExternalTrainer } from './external-trainer.ts';
import { createHarness, refusal, running, task, thrownBy, times, weights } from './fixtures/harness.ts';

const { start, log, scratch } = createHarness();

describe('an honest program', () => {
  it('trains and evaluates, task after task, and leaves no file', async () => {
    const trainer = await start('honest');
    expect(trainer).toMatchObject({ engine: 'external:fixture', speed: 'fast', version: '1.0' });
    const progress: number[] = [];
    const given = weights.values.slice();
    const result = await trainer.train({ ...task, onProgress: (done) => progress.push(done) });
    expect(result).toEqual({
      values: weights.values.map((value) => value + 0.5),
      samples: 10,
      loss: 0.75,
      holdout: { count: 2, loss: 0.25, metrics: { accuracy: 0.5 } },
    });
    expect(progress).toEqual([0.5]);
    expect(weights.values).toEqual(given);
    const [folder] = readdirSync(scratch);
    expect(statSync(join(scratch, folder!)).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(scratch, folder!))).toEqual([]);
    const both = await Promise.all([trainer.evaluate(task), trainer.train(task)]);
    expect(both).toEqual([{ count: 0, loss: 0.25, metrics: { accuracy: 0.5 } }, result]);
  });

  it('may write its tensors in another order', async () => {
    const { values } = await (await start('reordered')).train(task);
    expect(values).toEqual(weights.values.map((value) => value + 0.5));
  });

  it('gets the data with absolute paths, in its folder', async () => {
    const data = { kind: 'idx', images: 'a/images', labels: '/b/labels' } as const;
    const { message } = await refusal((await start('setup', { data })).evaluate(task));
    expect(JSON.parse(message)).toEqual([
      {
        type: 'setup',
        protocol: 'tributary-trainer/1',
        data: { kind: 'idx', images: join(tmpdir(), 'a/images'), labels: '/b/labels' },
      },
      tmpdir(),
    ]);
    const without = await refusal((await start('setup')).evaluate(task));
    expect(JSON.parse(without.message)[0].data).toBeNull();
  });

  it('gets plan, seeds and two paths in the private folder', async () => {
    const { message } = await refusal((await start('task')).train(task));
    expect(JSON.parse(message)).toEqual({
      type: 'train',
      id: 1,
      plan: 'test',
      weights: expect.stringMatching(/\/tributary-trainer-\w+\/1-in\.safetensors$/),
      output: expect.stringMatching(/\/tributary-trainer-\w+\/1-out\.safetensors$/),
      seed: '01'.repeat(32),
      splitSeed: '02'.repeat(32),
    });
  });

  it('finds four variables and those that its owner lists, no passphrase or token', async () => {
    vi.stubEnv('TRIBUTARY_PASSPHRASE', 'hush');
    vi.stubEnv('TRIBUTARY_TOKEN', 'hush');
    vi.stubEnv('SOMETHING_ELSE', 'hush');
    try {
      const trainer = await start('environment', { env: { OMP_NUM_THREADS: '1' } });
      const { message } = await refusal(trainer.evaluate(task));
      const environment = JSON.parse(message);
      expect(Object.keys(environment)).toEqual(
        expect.arrayContaining(['PATH', 'OMP_NUM_THREADS'].filter((name) => name in environment)),
      );
      const allowed = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'OMP_NUM_THREADS'];
      expect(Object.keys(environment).filter((name) => !allowed.includes(name))).toEqual([]);
      expect(environment).toMatchObject({ PATH: process.env.PATH, OMP_NUM_THREADS: '1' });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('may refuse a task in its own words, on one line, and lives on', async () => {
    const trainer = await start('failing');
    const error = await refusal(trainer.evaluate(task));
    expect(error).toMatchObject({ code: 'plan-invalid', message: 'no [2J such layer' });
    expect((await trainer.train(task)).samples).toBe(10);
    expect(log).toEqual([]);
  });
});

describe('an abort', () => {
  const aborting = (trainer: ExternalTrainer) => {
    const abort = new AbortController();
    const trained = trainer.train({ ...task, signal: abort.signal, onProgress: () => abort.abort() });
    return thrownBy(trained);
  };

  it('is obeyed by a good program, which lives on', async () => {
    const trainer = await start('patient', { times: { ...times, cancel: 60_000 } });
    expect(await aborting(trainer)).toMatchObject({ name: 'AbortError' });
    expect((await trainer.evaluate(task)).count).toBe(1);
    expect(log).toEqual([]);
  });

  it('kills a deaf program with all that it started, and the next task gets a new one', async () => {
    const trainer = await start('deaf');
    expect(await aborting(trainer)).toMatchObject({ name: 'AbortError' });
    // Waits until the old one is out of the way.
    expect((await trainer.evaluate(task)).count).toBe(0);
    const pids = log[0]!.split(' ').slice(1).map(Number);
    expect(pids).toHaveLength(2);
    await expect.poll(() => pids.filter(running), { timeout: 10_000 }).toEqual([]);
    expect(log[1]).toMatch(/did not obey cancel within 0.3 s/);
  });

  it('before the task costs nothing', async () => {
    const trainer = await start('honest');
    const signal = AbortSignal.abort();
    expect(await thrownBy(trainer.train({ ...task, signal }))).toMatchObject({ name: 'AbortError' });
  });
});

describe('close', () => {
  it('kills a deaf program, fails its task, deletes the folder, and can be called twice', async () => {
    const trainer = await start('deaf');
    const failed = refusal(trainer.train({ ...task, onProgress: () => void trainer.close() }));
    expect(await failed).toMatchObject({ code: 'training-failed', message: 'The trainer is closed.' });
    await trainer.close();
    expect(readdirSync(scratch)).toEqual([]);
    const pids = log[0]!.split(' ').slice(1).map(Number);
    await expect.poll(() => pids.filter(running), { timeout: 10_000 }).toEqual([]);
    expect((await refusal(trainer.evaluate(task))).message).toBe('The trainer is closed.');
  });

  it('is not waited for where the node ends at once: a deaf program is killed all the same', async () => {
    const before = process.listeners('exit');
    const trainer = await start('deaf');
    const failed = refusal(
      trainer.train({
        ...task,
        onProgress: () => {
          for (const listener of process.listeners('exit'))
            if (!before.includes(listener)) listener.call(process, 130);
        },
      }),
    );
    expect((await failed).message).toMatch(/ended by SIGKILL/);
    const pids = log[0]!.split(' ').slice(1).map(Number);
    await expect.poll(() => pids.filter(running), { timeout: 10_000 }).toEqual([]);
    expect(process.listeners('exit')).toEqual(before);
  });

  it('uses the folder that it is given, and no other', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('tributary-trainer-'));
    const trainer = await start('honest');
    await trainer.close();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('tributary-trainer-'))).toEqual(before);
    expect(existsSync(scratch)).toBe(true);
  });
});
