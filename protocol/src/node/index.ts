/** What of the protocol runs on Node only. */
export * from '../crypto/node.ts';
export {
  COMMIT_KINDS,
  COORDINATOR_CRASH_POINTS,
  type CommitKind,
  CRASH_POINTS,
  type CrashPoint,
  crashPoint,
  type FileKind,
  NODE_CRASH_POINTS,
  type NodeFile,
  ROTATION_CRASH_POINTS,
  TOOL_CRASH_POINTS,
} from './crash-points.ts';
