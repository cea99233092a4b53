/** Errors: what travels, and what is thrown. */
import { ERRORS, type ErrorCode } from './error-table.ts';

export { ERRORS, type ErrorCode };

/** What travels when a request or an attempt is refused; `details` never holds secrets. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly retryable: boolean;
}

/** The only error type that either side throws on purpose. The message names the rule and the offending value. */
export class TributaryError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TributaryError';
    this.code = code;
    this.remedy = options.remedy ?? ERRORS[code].remedy;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  toProblem(): Problem {
    return { code: this.code, message: this.message, remedy: this.remedy, retryable: this.retryable };
  }
}

/** Any thrown value as a TributaryError; unknown faults become `internal` without their text, which may hold secrets. */
export function asTributaryError(thrown: unknown): TributaryError {
  if (thrown instanceof TributaryError) return thrown;
  return new TributaryError('internal', 'An unexpected fault stopped this request.', { cause: thrown });
}
