/** What the HTTP routes need from the rest of the coordinator. The composition root fits it together. */
import type { Readable } from 'node:stream';
import type {
  CoordinatorInfo,
  EnrolRequest,
  EnrolResponse,
  InviteRequest,
  InviteResponse,
  Member,
  ModelSummary,
  Partner,
  PersonRole,
  RunAction,
  RunDetail,
  RunEvent,
  RunSummary,
  SignedRotation,
  TokenSummary,
} from '@tributary/protocol';
import type { Auth } from '../../plugins/auth.ts';

export interface HealthDeps {
  /** False while starting and draining. */
  ready(): boolean;
}

export interface CoordinatorDeps {
  info(): CoordinatorInfo;
  /** That led to its key, oldest first. */
  ownRotations(): readonly SignedRotation[];
}

export interface TokensDeps {
  readonly auth: Auth;
  readonly tokens: {
    create(name: string, role: PersonRole): Promise<string>;
    list(): Promise<TokenSummary[]>;
    remove(name: string): Promise<void>;
  };
}

export interface PartnersDeps {
  readonly auth: Auth;
  readonly partners: {
    invite(request: InviteRequest): Promise<InviteResponse>;
    enrol(request: EnrolRequest): Promise<EnrolResponse>;
    list(): Promise<Partner[]>;
    setStatus(name: string, status: 'active' | 'suspended'): Promise<Partner>;
    remove(name: string): Promise<void>;
    members(): Promise<Member[]>;
    rotate(signed: SignedRotation): Promise<EnrolResponse>;
    rotations(): Promise<SignedRotation[]>;
  };
}

export interface BlobsDeps {
  readonly auth: Auth;
  readonly blobs: {
    receive(stream: Readable, expected: { sha256: string; maxBytes: number }): Promise<number>;
  };
  /** Whole blobs in memory, shared by all downloads: never written to. */
  readonly modelCache: { get(hash: string): Promise<Buffer> };
  /** Bytes of a blob that left for a node (its identity key) or a person (null). */
  onBytesDown(hash: string, member: string | null, bytes: number): void;
}

export interface UpdatesDeps {
  readonly auth: Auth;
  readonly spool: {
    receive(
      attempt: string,
      member: string,
      stream: Readable,
      expected: { sha256: string; bytes: number; offset: number },
    ): Promise<void>;
    held(attempt: string, member: string, sha256: string): Promise<number | 'all'>;
  };
  readonly uploads: {
    /**
     * Bytes that the update must have, if it may come now or came already.
     * @throws wrong-attempt, wrong-phase, late, before a byte of the body is read
     */
    expect(attempt: string, member: string): { bytes: number } | Promise<{ bytes: number }>;
    /** Makes it count: the row is durable when this resolves. @throws late, conflict (another hash counts already) */
    received(update: { attempt: string; member: string; sha256: string; bytes: number }): Promise<void>;
    /** Bytes keep coming, at more than a token rate; about once a second. */
    progress?(attempt: string, member: string): void;
  };
}

export interface RunsDeps {
  readonly auth: Auth;
  readonly runs: {
    list(): Promise<RunSummary[]>;
    /** @throws not-found */
    show(id: string): Promise<RunDetail>;
    /** @throws plan-invalid, model-invalid, not-found (the model was not uploaded) */
    start(plan: unknown, model: string, by: string): Promise<RunSummary>;
    /** @throws not-found, wrong-phase (the run is over) */
    control(id: string, action: RunAction, by: string): Promise<RunSummary>;
    /** Events after `after`, then new ones, until the run ends or `signal` fires. */
    events(id: string, after: number, signal: AbortSignal): AsyncIterable<RunEvent>;
    models(run?: string): Promise<ModelSummary[]>;
  };
}

export type HttpDeps = HealthDeps &
  CoordinatorDeps &
  TokensDeps &
  PartnersDeps &
  BlobsDeps &
  UpdatesDeps &
  RunsDeps;
