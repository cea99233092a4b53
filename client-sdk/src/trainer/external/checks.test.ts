/** Real programs that do what they must not, each in a mode of fixtures/program.js. */
import { describe, expect, it } from 'vitest';
import { cancerPlan } from '../../data/cancer-plan.ts';
import { momentsPlan } from '../../moments/plan.ts';
import { createHarness, plan, refusal, task, times } from './fixtures/harness.ts';

const { start, log } = createHarness();

describe('a program that does not start', () => {
  it.each([
    ['nameless', {}, /said hello: name must match pattern/],
    ['other-protocol', {}, /speaks "tributary-trainer\/2", this node tributary-trainer\/1/],
    ['boasting', {}, /said hello: capabilities\.0 must match pattern/],
    ['mute', { times: { ...times, hello: 200 } }, /no hello within 0.2 s/],
    ['early-exit', {}, /ended with exit code 7/],
    ['chatty', {}, /"Loading torch ...", which is not JSON; only messages/],
    [
      'gone',
      { command: ['/nowhere/python3', 'trainer.py'] },
      /"\/nowhere\/python3" cannot be started \(ENOENT\)/,
    ],
    ['a shell', { command: ['echo hello; exit'] }, /cannot be started \(ENOENT\)/],
    ['a zero byte', { command: ['a\0b'] }, /cannot be started \(ERR_INVALID_ARG_VALUE\)/],
  ])('%s', async (mode, options, message) => {
    const error = await refusal(start(mode, options));
    expect(error).toMatchObject({ code: 'training-failed', message: expect.stringMatching(message) });
    expect(error.remedy).toContain('TRAINER.md');
  });
});

describe('a plan that adds up (PROTOCOL.md 5.8)', () => {
  const adds = { ...task, plan: momentsPlan(cancerPlan({ partners: 3 })) };

  it.each(['train', 'evaluate'] as const)(
    'is not put to a program that may not know it: %s',
    async (kind) => {
      const trainer = await start('honest');
      const error = await refusal(trainer[kind](adds));
      expect(error).toMatchObject({
        code: 'plan-invalid',
        message: expect.stringMatching(/^model layer "moments.*trainer "fixture" does not list .* "moments"/),
        remedy: expect.stringContaining('capabilities: ["moments"]'),
      });
      expect(await trainer.train(task)).toMatchObject({ samples: 10 });
    },
  );

  it('is put to one that says so, if it is one sum over all rows', async () => {
    const trainer = await start('adds');
    // It was asked, and answers as to any plan.
    expect((await refusal(trainer.train(adds))).message).toMatch(/metrics "accuracy", the plan has ""/);
    const twice = { ...adds, plan: { ...adds.plan, rounds: 2 } };
    expect(await refusal(trainer.train(twice))).toMatchObject({
      code: 'plan-invalid',
      message: expect.stringContaining('rounds 1 and epochs 1, not 2 and 1'),
    });
  });
});

describe('what a program says is checked:', () => {
  it.each([
    ['train', 'not-finite', 'not-finite', /Value 4 of tensor "a\/kernel" is NaN/],
    ['train', 'renamed', 'training-failed', /no tensor "a\/bias"/],
    ['train', 'reshaped', 'training-failed', /"a\/kernel" of \[2,3\], it was given as \[3,2\]/],
    ['train', 'float64', 'training-failed', /dtype "F64", only F32/],
    ['train', 'extra', 'training-failed', /"more", which it was not given/],
    ['train', 'longer', 'training-failed', /bytes, its header asks for/],
    ['train', 'huge', 'training-failed', /\[400000000\], it was given as \[3,2\]|a hole|an overlap/],
    ['train', 'symlink', 'training-failed', /symbolic link/],
    ['train', 'folder', 'training-failed', /not a regular file/],
    ['train', 'pipe', 'training-failed', /not a regular file/],
    ['train', 'nothing', 'training-failed', /was not written/],
    ['train', 'elsewhere', 'training-failed', /was not written/],
    ['train', 'own-path', 'training-failed', /"\/etc\/passwd", not to the path/],
    ['train', 'no-rows', 'data-invalid', /0 rows/],
    ['train', 'half-rows', 'training-failed', /samples must be integer, got 1.5/],
    ['train', 'other-metrics', 'training-failed', /metrics "f1", the plan has "accuracy"/],
    ['train', 'percent', 'training-failed', /accuracy 93.5, 0 to 1 is due/],
    ['train', 'unknown-field', 'training-failed', /unknown field "note"/],
    ['train', 'nan-loss', 'not-finite', /finite numbers only/],
    ['evaluate', 'endless-loss', 'training-failed', /loss must be number/],
    ['evaluate', 'not-utf8', 'training-failed', /not UTF-8/],
    ['evaluate', 'unknown-type', 'training-failed', /type is none of hello, progress/],
    ['evaluate', 'other-task', 'training-failed', /of task 8, while it had task 1/],
    ['evaluate', 'wrong-answer', 'training-failed', /answered evaluate with trained/],
    ['evaluate', 'flood', 'training-failed', /a line of more than 65536 bytes/],
    ['evaluate', 'flood-progress', 'training-failed', /more than 10000 times/],
  ] as const)('%s, %s: %s', async (kind, mode, code, message) => {
    const trainer = await start(mode);
    const error = await refusal(trainer[kind](task));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    // Whatever it was, the next task is served: by the same program, or by a new one.
    const next = kind === 'train' ? trainer.evaluate(task) : trainer.train(task);
    expect(await next).toMatchObject(kind === 'train' ? { count: 0 } : { samples: 10 });
  });

  it('a hold-out where the plan has none', async () => {
    const without = { ...task, plan: { ...plan, holdout: 0 } };
    expect((await refusal((await start('honest')).train(without))).message).toMatch(/held 2 rows out/);
  });

  it('anything without a task ends it, and the next task starts it again', async () => {
    const trainer = await start('no-task');
    await expect
      .poll(() => log, { timeout: 10_000 })
      .toContainEqual(expect.stringContaining('said progress while it had no task'));
    // Before the task reaches it, or behind.
    expect((await refusal(trainer.train(task))).message).toMatch(/no task|of task 99/);
  });

  it('standard error reaches the log on single lines, cut, and bounded', async () => {
    const trainer = await start('stderr');
    await trainer.evaluate(task);
    await trainer.close();
    expect(log.slice(0, 50).every((line, i) => line.startsWith(`line ${i}  [2Jxxx`))).toBe(true);
    expect(Math.max(...log.map((line) => line.length))).toBe(500);
    expect(log.slice(50)).toEqual(['(450 more lines of standard error were left out)']);
  });
});

describe('a program that dies', () => {
  it('is a typed failure with its last words, and is started again', async () => {
    const trainer = await start('crash');
    const error = await refusal(trainer.train(task));
    expect(error.message).toBe(
      'The trainer ended with exit code 3; its last words: "MemoryError: of 3 rows".',
    );
    expect(error.code).toBe('training-failed');
    expect(log).toEqual(['Traceback', 'MemoryError: of 3 rows']);
    expect((await trainer.evaluate(task)).count).toBe(0);
  });

  it('tells the signal', async () => {
    expect((await refusal((await start('killed')).train(task))).message).toBe(
      'The trainer was ended by SIGKILL.',
    );
  });
});
