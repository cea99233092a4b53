import { TributaryError } from '@tributary/protocol';

/** The command line is wrong: exit code 2. */
export class UsageError extends TributaryError {
  constructor(message: string, remedy: string) {
    super('malformed', message, { remedy });
  }
}
