import { TributaryError } from '@tributary/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createTempi, type Tempi } from './tempo.ts';

let tempi: Tempi;
const seen: string[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  seen.length = 0;
  tempi = createTempi();
});
afterEach(() => {
  vi.useRealTimers();
});

const session = (member = 'ann') =>
  tempi.of(
    member,
    { pause: () => seen.push('pause'), resume: () => seen.push('resume') },
    {
      slowed: ({ code }: TributaryError) => seen.push(`slowed ${code}`),
      ended: ({ code }: TributaryError) => seen.push(`ended ${code}`),
    },
  );

it('lets a node speak as fast as the fastest rounds need it', () => {
  const tempo = session();
  for (let second = 0; second < 100; second++) {
    for (let i = 0; i < 200; i++) tempo.heard('advert');
    vi.advanceTimersByTime(1000);
  }
  expect(seen).toEqual([]);
});

it('reads a burst later, and says so once', () => {
  const tempo = session();
  for (let i = 0; i < 3300; i++) tempo.heard('progress');
  expect(seen).toEqual(['pause', 'slowed rate-limited']);
  vi.advanceTimersByTime(1100);
  expect(seen.at(-1)).toBe('resume');
  for (let i = 0; i < 400; i++) tempo.heard('progress');
  expect(seen).toEqual(['pause', 'slowed rate-limited', 'resume', 'pause']);
});

it('ends the session of who goes on, and lets it back after a while', () => {
  const tempo = session();
  const over = () => seen.some((text) => text.startsWith('ended'));
  const paused = () => seen.lastIndexOf('pause') > seen.lastIndexOf('resume');
  let consents = 0;
  for (let second = 0; second < 300 && !over(); second++) {
    for (let i = 0; i < 300 && !paused() && !over(); i++) {
      tempo.heard('consent');
      consents++;
    }
    vi.advanceTimersByTime(1000);
  }
  expect(seen.at(-1)).toBe('ended rate-limited');
  // Each consent may be a journal entry, with a sync of the disk.
  expect(consents).toBeLessThan(2000);
  expect(() => tempi.admit('ann')).toThrow(expect.objectContaining({ code: 'rate-limited' }));
  tempi.admit('bob');
  vi.advanceTimersByTime(61_000);
  tempi.admit('ann');
});

it('counts on in the next session: coming back is no way around', () => {
  const first = session();
  for (let i = 0; i < 3001; i++) first.heard('ping');
  first.stop();
  seen.length = 0;
  session().heard('ping');
  expect(seen).toEqual(['pause']);
});

it('resumes when neither the rate nor the queue holds the socket', () => {
  const tempo = session();
  tempo.busy(true);
  for (let i = 0; i < 3301; i++) tempo.refused();
  tempo.busy(false);
  expect(seen).not.toContain('resume');
  vi.advanceTimersByTime(200_000);
  expect(seen.filter((text) => text === 'resume')).toEqual(['resume']);
});

it('refuses storms of sessions, and not a node that comes back with pauses', () => {
  for (let i = 0; i < 60; i++) tempi.admit('ann');
  expect(() => tempi.admit('ann')).toThrow(TributaryError);
  for (let i = 0; i < 100; i++) {
    vi.advanceTimersByTime(500);
    tempi.admit('ann');
  }
});
