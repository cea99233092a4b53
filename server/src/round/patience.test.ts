import { describe, expect, it } from 'vitest';
import { judgePatience, noteProgress, startPatience } from './patience.ts';

const timing = { patience: 60, grace: 10, maximum: 300 };

describe('patience', () => {
  it('waits without progress for its time, not longer', () => {
    const patience = startPatience(0);
    expect(judgePatience(patience, timing, 59_999)).toEqual({ kind: 'wait', until: 60_000 });
    expect(judgePatience(patience, timing, 60_000)).toEqual({ kind: 'close', why: 'patience' });
  });

  it('a slow partner that makes progress is waited for, up to the maximum', () => {
    let patience = startPatience(0);
    for (let now = 0; now < 300_000; now += 50_000) {
      expect(judgePatience(patience, timing, now).kind).toBe('wait');
      patience = noteProgress(patience, now, false);
    }
    expect(judgePatience(patience, timing, 300_000)).toEqual({ kind: 'close', why: 'maximum' });
  });

  it('stragglers have the grace after a quorum, and their progress does not prolong it', () => {
    let patience = noteProgress(startPatience(0), 5000, true);
    patience = noteProgress(patience, 14_000, true);
    expect(judgePatience(patience, timing, 14_999)).toEqual({ kind: 'wait', until: 15_000 });
    expect(judgePatience(patience, timing, 15_000)).toEqual({ kind: 'close', why: 'grace' });
  });

  it('a quorum that is lost again stops the grace', () => {
    const patience = noteProgress(noteProgress(startPatience(0), 5000, true), 6000, false);
    expect(judgePatience(patience, timing, 20_000)).toEqual({ kind: 'wait', until: 66_000 });
  });
});
