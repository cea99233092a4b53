/** Round numbers: they read well in a plan, and tell partners less about the sample than exact ones. */

/** @returns `value` with so many significant digits */
export function rounded(value: number, digits = 2): number {
  return Number(value.toPrecision(digits));
}

/** Mean and spread to scale numbers by. The mean is rounded to a digit of the spread: years lie near 2000, not at 0. */
export function publicScale(mean: number, std: number): { mean: number; std: number } {
  const spread = rounded(std) || 1;
  const step = 10 ** Math.floor(Math.log10(spread));
  return { mean: rounded(Math.round(mean / step) * step, 12), std: spread };
}

/** 1, 2 or 5 times a power of ten, at or above `value`. @param value above 0 */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  // 1e-9: 3 * 0.1 is a little above 0.3.
  const factor = [1, 2, 5, 10].find((step) => step * power >= value * (1 - 1e-9))!;
  return rounded(factor * power, 3);
}

/** The least round range around `min` and `max`; it begins or ends at 0 where that is near. */
export function publicRange(min: number, max: number): { min: number; max: number } {
  const span = max - min;
  if (!(span > 0)) return { min: rounded(min - 1), max: rounded(max + 1) };
  const step = niceAbove(span / 10);
  const snap = (value: number) => Number((value * step).toPrecision(12));
  const low = min >= 0 && min <= span ? 0 : snap(Math.floor(min / step + 1e-9));
  const high = max <= 0 && -max <= span ? 0 : snap(Math.ceil(max / step - 1e-9));
  return { min: low, max: high };
}
